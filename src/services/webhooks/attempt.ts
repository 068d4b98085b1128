import http from 'node:http';
import https from 'node:https';
import { isIP } from 'node:net';
import { Webhook } from 'standardwebhooks';
import { AppError } from '../../errors.js';
import { version } from '../../package-root.js';
import type { Event } from '../../schemas/events/event.js';
import { readRetryAfter } from './backoff.js';
import type { Destination, Destinations } from './destination.js';

/** How long one attempt may take in all, from the look-up of the name to the headers of the answer. */
export const ATTEMPT_TIMEOUT_MS = 15_000;
/**
 * So much of a body is read and dropped, for so long, that its connection can be used again. The connection of a longer one
 * is closed. The wait is short, because the next delivery waits as well.
 */
const BODY_BYTES = 4096;
const BODY_TIMEOUT_MS = 200;
/** Connections that no address accepted. Nothing was sent, so that the next address can be tried. */
const NOT_CONNECTED = new Set(['ECONNREFUSED', 'EHOSTUNREACH', 'ENETUNREACH', 'EADDRNOTAVAIL', 'EAFNOSUPPORT']);

export interface Message {
  /** The id of the delivery. */
  id: string;
  event: Event;
  url: string;
  secret: string;
}

/** What came of an attempt. Its error is for those who see the webhook: it names no path and no query of the URL. */
export type Outcome =
  | { kind: 'delivered'; status: number }
  /** The receiver answered 410: it wants no more events. */
  | { kind: 'gone'; status: number; error: string }
  | { kind: 'failed'; status: number | null; error: string; retryAfterMs: number | null };

/** Sends events. Connections are used again, by address, so that each goes to an address that was checked. */
export class Sender {
  readonly #agents = {
    'http:': new http.Agent({ keepAlive: true, maxFreeSockets: 4 }),
    'https:': new https.Agent({ keepAlive: true, maxFreeSockets: 4 }),
  };

  constructor(
    private readonly destinations: Destinations,
    private readonly timeoutMs = ATTEMPT_TIMEOUT_MS,
  ) {}

  /** Sends one event once. @throws the reason of `signal` when it is aborted, and nothing else */
  async send(message: Message, signal: AbortSignal): Promise<Outcome> {
    const timeout = AbortSignal.timeout(this.timeoutMs);
    const ended = AbortSignal.any([signal, timeout]);
    try {
      return toOutcome(await this.#post(message, ended));
    } catch (error) {
      signal.throwIfAborted();
      const late = `The receiver did not answer within ${this.timeoutMs / 1000} s.`;
      return failed(timeout.aborted ? late : describe(error));
    }
  }

  close(): void {
    for (const agent of Object.values(this.#agents)) agent.destroy();
  }

  async #post(message: Message, signal: AbortSignal): Promise<Answer> {
    const destination = await this.destinations.resolve(message.url, signal);
    if (destination.error !== null) throw new UnreachedError(destination.error);
    const body = JSON.stringify(message.event);
    const headers = { ...sign(message, body), host: destination.url.host };
    let last: unknown;
    for (const address of destination.addresses) {
      try {
        return await this.#postTo(destination, address, headers, body, signal);
      } catch (error) {
        if (!NOT_CONNECTED.has((error as NodeJS.ErrnoException).code ?? '')) throw error;
        last = error;
      }
    }
    throw last;
  }

  #postTo(
    { url }: Destination,
    address: string,
    headers: http.OutgoingHttpHeaders,
    body: string,
    signal: AbortSignal,
    isRepeated = false,
  ): Promise<Answer> {
    const name = url.hostname.replace(/^\[|\]$/g, '');
    const options: https.RequestOptions = {
      method: 'POST',
      host: address,
      port: url.port || (url.protocol === 'https:' ? 443 : 80),
      path: url.pathname + url.search,
      headers,
      signal,
      agent: this.#agents[url.protocol as 'http:' | 'https:'],
      // The certificate is checked against the name of the URL. Of an address there is no SNI.
      ...(url.protocol === 'https:' && isIP(name) === 0 && { servername: name }),
    };
    return new Promise((resolve, reject) => {
      const request = (url.protocol === 'https:' ? https : http).request(options);
      request.on('response', (response) => readAnswer(response).then(resolve));
      // Without this, Node would drop the connection without an event, and the attempt would never end.
      request.on('upgrade', ({ statusCode = 0 }, socket) => {
        socket.destroy();
        resolve({ status: statusCode, retryAfter: undefined });
      });
      request.on('error', (error: NodeJS.ErrnoException) => {
        // The receiver closed a connection that was about to be used again.
        if (request.reusedSocket && error.code === 'ECONNRESET' && !isRepeated) {
          this.#postTo({ url, addresses: [], error: null }, address, headers, body, signal, true).then(resolve, reject);
        } else reject(error);
      });
      request.end(body);
    });
  }
}

/** The name could not be resolved. */
class UnreachedError extends Error {}

interface Answer {
  status: number;
  retryAfter: string | undefined;
}

function sign({ id, secret }: Message, body: string): http.OutgoingHttpHeaders {
  const now = new Date();
  return {
    'content-type': 'application/cloudevents+json',
    'content-length': Buffer.byteLength(body),
    'user-agent': `port-allocator/${version}`,
    'webhook-id': id,
    'webhook-timestamp': String(Math.floor(now.getTime() / 1000)),
    'webhook-signature': new Webhook(secret).sign(id, now, body),
  };
}

/** What the headers say, whatever becomes of the body. */
function readAnswer(response: http.IncomingMessage): Promise<Answer> {
  return new Promise((resolve) => {
    const drop = () => response.destroy();
    const timer = setTimeout(drop, BODY_TIMEOUT_MS);
    let bytes = 0;
    response.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > BODY_BYTES) drop();
    });
    response.on('error', () => {}); // it broke off; `close` follows
    response.on('close', () => {
      clearTimeout(timer);
      resolve({ status: response.statusCode ?? 0, retryAfter: response.headers['retry-after'] });
    });
  });
}

function toOutcome({ status, retryAfter }: Answer): Outcome {
  if (status >= 200 && status < 300) return { kind: 'delivered', status };
  const error = `The receiver answered ${status}.`;
  if (status === 410) return { kind: 'gone', status, error };
  if (status >= 300 && status < 400) return failed(`${error} Redirects are not followed.`, status);
  return failed(error, status, status === 429 || status === 503 ? readRetryAfter(retryAfter) : null);
}

const failed = (error: string, status: number | null = null, retryAfterMs: number | null = null): Outcome => ({
  kind: 'failed',
  ...{ status, error, retryAfterMs },
});

/** Codes and refusals only: the messages of other errors may contain the URL. */
function describe(error: unknown): string {
  if (error instanceof AppError) return error.message;
  if (error instanceof UnreachedError) return `The receiver was not reached: ${error.message}.`;
  const { code } = error as NodeJS.ErrnoException;
  return code ? `The connection failed: ${code}.` : 'The connection broke off.';
}
