import { once } from 'node:events';
import { type ClientRequest, type IncomingMessage, type RequestOptions, request } from 'node:http';
import { connect } from 'node:net';
import type { TLSSocket } from 'node:tls';

/** Where a request is sent: to a service over HTTP, or to the socket of a data folder. */
export type Target = { url: string } | { socketPath: string };

/** A request as it is sent, once or several times. */
export interface Request {
  method: string;
  /** With its query. */
  path: string;
  headers: Record<string, string>;
  body: string | undefined;
  /** How long nothing may come of an answer. Null for work that takes its time, such as an audit. */
  silenceMs: number | null;
  signal: AbortSignal | undefined;
}

/** What became of a request that was sent once. */
export type Sent =
  | { outcome: 'answered'; answer: IncomingMessage }
  /** There was no connection, so that nobody can have executed it. */
  | { outcome: 'not-sent'; error: NodeJS.ErrnoException }
  /** There was a connection, and it ended without an answer. Whether the request was executed is not known. */
  | { outcome: 'no-answer'; error: NodeJS.ErrnoException };

/** How long connecting may take, with the name looked up and TLS. */
const CONNECT_MS = 5000;

/**
 * Sends a request on a connection of its own. One that is kept for the next request may be closed by the service just
 * when it is used again, and it would not be known whether that request was executed.
 * @throws the reason of the signal
 */
export async function sendOnce(
  target: Target,
  { method, path, headers, body, silenceMs, signal }: Request,
): Promise<Sent> {
  const options: RequestOptions = { method, headers, agent: false, ...(signal && { signal }) };
  const sent = await open(target, path, options);
  let isConnected = false;
  const connecting = setTimeout(() => sent.destroy(timeout(`no connection within ${CONNECT_MS / 1000} s`)), CONNECT_MS);
  sent.once('socket', (socket) => {
    socket.once((socket as TLSSocket).encrypted ? 'secureConnect' : 'connect', () => {
      isConnected = true;
      clearTimeout(connecting);
    });
  });
  if (silenceMs !== null) {
    sent.setTimeout(silenceMs, () => sent.destroy(timeout(`no answer within ${silenceMs / 1000} s`)));
  }
  sent.end(body);
  try {
    const [answer] = (await once(sent, 'response')) as [IncomingMessage];
    return { outcome: 'answered', answer };
  } catch (error) {
    signal?.throwIfAborted();
    return { outcome: isConnected ? 'no-answer' : 'not-sent', error: error as NodeJS.ErrnoException };
  } finally {
    clearTimeout(connecting);
    sent.on('error', () => {}); // one that comes later also ends the answer, whose reader is told of it
  }
}

async function open(target: Target, path: string, options: RequestOptions): Promise<ClientRequest> {
  if ('socketPath' in target) {
    // Connected here, because Node's agent compiles a pattern for IPv6 addresses first (4 ms).
    const createConnection = () => connect(target.socketPath);
    return request({ ...options, agent: undefined, createConnection, path, host: 'localhost' });
  }
  const url = target.url + path;
  // Loaded where it is needed, because TLS takes a while to load.
  return url.startsWith('https:') ? (await import('node:https')).request(url, options) : request(url, options);
}

function timeout(message: string): NodeJS.ErrnoException {
  return Object.assign(new Error(message), { code: 'ETIMEDOUT' });
}
