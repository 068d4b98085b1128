import { randomUUID } from 'node:crypto';
import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import type { FastifyInstance } from 'fastify';
import { invalidField, type ProblemCode, problems } from '../errors.js';

export const NOT_WHOLE = 'The request did not arrive whole in time.';

/**
 * Handles requests that Node's server would otherwise answer by itself, without a problem document:
 * - A request without `Host` is refused here. For that, the server is created with `requireHostHeader: false`.
 * - An `Expect` header other than 100-continue may be ignored (RFC 9110, 10.1.1), and is.
 * - CONNECT is refused.
 */
export function registerMalformedHttp(app: FastifyInstance): void {
  app.addHook('onRequest', ({ headers, raw }, _reply, done) => {
    const lacksHost = headers.host === undefined && raw.httpVersion === '1.1'; // RFC 9112, 3.2
    done(lacksHost ? invalidField('/headers/host', 'is required') : undefined);
  });
  app.server.on('checkExpectation', (request, response) => app.server.emit('request', request, response));
  app.server.on('connect', (_request, socket: Socket) =>
    refuse(socket, 'method-not-allowed', 'This is no proxy: CONNECT is not possible here.'),
  );
}

/** Answers bytes that are no HTTP request, of which Fastify never hears, with a problem document. */
export function refuseMalformedHttp(error: Error & { code?: string }, socket: Socket): void {
  const wasSilent = socket.bytesRead === 0; // opened in advance and never used: there is no request to answer
  if (error.code === 'ECONNRESET' || wasSilent || !socket.writable) return void socket.destroy(error);
  refuse(socket, 'validation-failed', DETAILS[error.code ?? ''] ?? 'This is no well-formed HTTP request.');
}

function refuse(socket: Socket, code: ProblemCode, detail: string): void {
  const requestId = randomUUID();
  const { status, title } = problems[code];
  const type = `urn:port-allocator:problem:${code}`;
  const body = JSON.stringify({ type, title, status, detail, instance: '/', code, requestId });
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nConnection: close\r\n` +
      `Content-Type: application/problem+json; charset=utf-8\r\nX-Request-Id: ${requestId}\r\n` +
      `Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
}

// https://nodejs.org/api/http.html#event-clienterror
const DETAILS: Record<string, string> = {
  HPE_HEADER_OVERFLOW: 'The headers are larger than 16 KiB.',
  ERR_HTTP_REQUEST_TIMEOUT: NOT_WHOLE,
};
