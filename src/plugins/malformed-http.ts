import { randomUUID } from 'node:crypto';
import type { Socket } from 'node:net';
import { problems } from '../errors.js';

export const NOT_WHOLE = 'The request did not arrive whole in time.';

/** Answers what is no HTTP at all, and so never becomes a request, with a problem document too. */
export function refuseMalformedHttp(error: Error & { code?: string }, socket: Socket): void {
  const wasSilent = socket.bytesRead === 0; // a connection opened ahead of need: an answer would be one to nothing
  if (error.code === 'ECONNRESET' || wasSilent || !socket.writable) return void socket.destroy(error);
  const requestId = randomUUID();
  const code = 'validation-failed';
  const body = JSON.stringify({
    type: `urn:port-allocator:problem:${code}`,
    title: problems[code].title,
    status: 400,
    detail: DETAILS[error.code ?? ''] ?? 'This is no well-formed HTTP request.',
    instance: '/',
    code,
    requestId,
  });
  socket.end(
    'HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Type: application/problem+json; charset=utf-8\r\n' +
      `X-Request-Id: ${requestId}\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
}

// https://nodejs.org/api/http.html#event-clienterror
const DETAILS: Record<string, string> = {
  HPE_HEADER_OVERFLOW: 'The headers are larger than 16 KiB.',
  ERR_HTTP_REQUEST_TIMEOUT: NOT_WHOLE,
};
