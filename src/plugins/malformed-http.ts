import { randomUUID } from 'node:crypto';
import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import type { FastifyInstance } from 'fastify';
import { invalidField, type ProblemCode, problems } from '../errors.js';
import type { Connections } from './limits/connections.js';

export const NOT_WHOLE = 'The request did not arrive whole in time.';

/** How long a client has to read a refusal after which its connection is closed. */
const CLOSE_AFTER_MS = 1000;
/** Far more than any client sends. Node drops those beyond the 1000th, an `X-Forwarded-For` among them. */
const MAX_HEADERS = 100;

/**
 * Handles requests that Node's server would otherwise answer by itself, without a problem document:
 * - A request without `Host` is refused here. For that, the server is created with `requireHostHeader: false`.
 * - An `Expect` header other than 100-continue may be ignored (RFC 9110, 10.1.1), and is.
 * - CONNECT is refused.
 *
 * It also refuses what Node lets pass: two `Host` headers, of which Node shows the first one, and too many headers.
 */
export function registerMalformedHttp(app: FastifyInstance): void {
  app.addHook('onRequest', ({ headers, raw }, _reply, done) => {
    const { rawHeaders } = raw; // names and values in turn
    if (rawHeaders.length > 2 * MAX_HEADERS) {
      return done(invalidField('/headers', `has ${rawHeaders.length / 2} headers; send at most ${MAX_HEADERS}`));
    }
    if (headers.host === undefined) {
      return done(raw.httpVersion === '1.1' ? invalidField('/headers/host', 'is required') : undefined); // RFC 9112, 3.2
    }
    done(hasTwoHosts(rawHeaders) ? invalidField('/headers/host', 'is sent twice') : undefined);
  });
  app.server.on('checkExpectation', (request, response) => app.server.emit('request', request, response));
  app.server.on('connect', (_request, socket: Socket) =>
    refuse(socket, 'method-not-allowed', 'This is no proxy: CONNECT is not possible here.'),
  );
}

function hasTwoHosts(rawHeaders: readonly string[]): boolean {
  let hosts = 0;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] as string;
    if (name.length === 4 && name.toLowerCase() === 'host') hosts += 1;
  }
  return hosts > 1;
}

/**
 * Returns a function that answers bytes that are no HTTP request, of which Fastify never hears, with a problem document.
 */
export function refuseMalformedHttp(
  connections: Connections,
): (error: Error & { code?: string }, socket: Socket) => void {
  const refused = new WeakSet<Socket>();
  return (error, socket) => {
    // Each piece that comes after malformed bytes is malformed too. It must not end the connection before the refusal
    // of the first one has arrived.
    if (refused.has(socket)) return;
    const wasSilent = socket.bytesRead === 0; // opened in advance and never used: there is no request to answer
    if (error.code === 'ECONNRESET' || wasSilent || !socket.writable) return void socket.destroy(error);
    refused.add(socket);
    const answer = () =>
      refuse(socket, 'validation-failed', DETAILS[error.code ?? ''] ?? 'This is no well-formed HTTP request.');
    const last = connections.of(socket)?.lastAnswer ?? null;
    if (last === null) return answer();
    // Answers are sent in the order of the requests.
    if (last.req.complete) return void last.once('close', answer);
    // What is malformed or late is the body of the request that is being handled.
    if (last.socket === null || last.headersSent) return void socket.destroy(error);
    answer();
  };
}

function refuse(socket: Socket, code: ProblemCode, detail: string): void {
  if (!socket.writable) return void socket.destroy();
  const requestId = randomUUID();
  const { status, title } = problems[code];
  const type = `urn:port-allocator:problem:${code}`;
  const body = JSON.stringify({ type, title, status, detail, instance: '/', code, requestId });
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nConnection: close\r\n` +
      `Content-Type: application/problem+json; charset=utf-8\r\nX-Request-Id: ${requestId}\r\n` +
      `Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
  // Destroyed at once, bytes that have arrived and were not read would reset the connection, and the refusal could be
  // lost. Only ended, the connection would stay for as long as its client likes.
  socket.resume();
  const timer = setTimeout(() => socket.destroy(), CLOSE_AFTER_MS);
  socket.once('close', () => clearTimeout(timer));
}

// https://nodejs.org/api/http.html#event-clienterror
const DETAILS: Record<string, string> = {
  HPE_HEADER_OVERFLOW: 'The headers are larger than 16 KiB.',
  ERR_HTTP_REQUEST_TIMEOUT: NOT_WHOLE,
};
