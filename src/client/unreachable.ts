import { type IncomingMessage, STATUS_CODES } from 'node:http';
import { ClientFailure } from './failure.js';

const CORRECT = 'Correct PORT_ALLOCATOR_URL, or unset it to use the service of this machine.';

/** Says why the service at PORT_ALLOCATOR_URL could not be reached, and what to do about it. */
export function unreachable(url: string, error: NodeJS.ErrnoException): ClientFailure {
  const { host, hostname } = new URL(url);
  const [message, nextStep] = explain(url, host, hostname, findCause(error));
  return new ClientFailure('unreachable', message, nextStep, null, { cause: error });
}

function explain(url: string, host: string, hostname: string, error: NodeJS.ErrnoException): [string, string] {
  const { code = '', message } = error;
  if (code === 'ECONNREFUSED') {
    return [`Nobody listens on ${host} (PORT_ALLOCATOR_URL).`, `Start the service there. ${CORRECT}`];
  }
  if (code === 'ENOTFOUND') {
    return [`There is no host named ${hostname} (PORT_ALLOCATOR_URL).`, CORRECT];
  }
  if (code === 'EAI_AGAIN') {
    return [`The name ${hostname} (PORT_ALLOCATOR_URL) could not be looked up.`, `Check the network. ${CORRECT}`];
  }
  if (code === 'ETIMEDOUT') {
    return [
      `${host} (PORT_ALLOCATOR_URL) does not answer: ${message}.`,
      `Check the network, and that the service runs. ${CORRECT}`,
    ];
  }
  if (/^(ERR_SSL|EPROTO)/.test(code)) {
    return [`${host} (PORT_ALLOCATOR_URL) does not speak TLS.`, `Is it http:// and not https://? ${CORRECT}`];
  }
  if (/CERT|^ERR_TLS|SIGNATURE/.test(code)) {
    return [
      `The certificate of ${host} (PORT_ALLOCATOR_URL) is not accepted: ${message.replace(/[;.]$/, '')}.`,
      'If it is from an authority of your own, set NODE_EXTRA_CA_CERTS to a file with the certificate of that authority.',
    ];
  }
  return [`${url} (PORT_ALLOCATOR_URL) cannot be reached: ${message}.`, CORRECT];
}

/** The error of one address, where a name has several and none could be connected to. */
function findCause(error: NodeJS.ErrnoException): NodeJS.ErrnoException {
  const [first] = error instanceof AggregateError ? error.errors : [];
  return first ?? error;
}

/** Says that an answer is none of a Port Allocator's: of a proxy, for example, or of another program at that address. */
export function notPortAllocator(place: string, { statusCode = 0, headers }: IncomingMessage): ClientFailure {
  const { location } = headers;
  if (statusCode >= 300 && statusCode < 400 && location !== undefined) {
    return new ClientFailure(
      'unreachable',
      `${place} sends clients on to ${location}.`,
      'Set PORT_ALLOCATOR_URL to where the service itself is.',
    );
  }
  const type = headers['content-type']?.split(';')[0] ?? 'no content type';
  const said = statusCode >= 400 ? [type, STATUS_CODES[statusCode] ?? statusCode].join(', ') : type;
  return new ClientFailure(
    'unreachable',
    `What answers at ${place} is no Port Allocator, but a proxy or another program (${said}).`,
    'Correct PORT_ALLOCATOR_URL, or look whether the service behind that proxy runs.',
  );
}
