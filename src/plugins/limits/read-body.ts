import type { IncomingMessage } from 'node:http';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { invalid } from '../../errors.js';

/** How long a body may still arrive after its request was answered. Longer, and its connection is closed. */
const UNREAD_MS = 2000;
const MIN_BUFFER_BYTES = 4096;
/** A mebibyte in pieces of 256 bytes. In pieces of one byte it took the event loop for seconds. */
const MAX_PIECES = 4096;
const LOST = invalid('', 'The connection was lost before the body had arrived.');
const TOO_MANY_PIECES = invalid('', `The body came in more than ${MAX_PIECES} pieces. Send it in larger chunks.`);

/** Whether a body follows. It may still be empty if it comes in chunks. */
export function hasBody({ headers }: Pick<FastifyRequest, 'headers'>): boolean {
  const { 'content-length': length = '0', 'transfer-encoding': transferEncoding } = headers;
  return length !== '0' || transferEncoding !== undefined;
}

/**
 * Reads a whole body, and counts its bytes as they arrive (`registerBodyBytes`). A body that is refused is not kept: what
 * still arrives of it is thrown away.
 *
 * The bytes are copied into one buffer that grows. A list of what has arrived would take a hundred times as much memory
 * as it counts for, if a client sends each byte as a chunk of its own.
 * @param limit the most bytes; a body that is longer, or announces that it will be, is refused with `excess`
 * @param done called once, unless the request ends before its body has arrived
 */
export function readBody(
  { headers, bodyCount }: FastifyRequest,
  stream: IncomingMessage,
  limit: number,
  excess: Error,
  done: (error: Error | null, bytes: Buffer) => void,
): void {
  if (Number(headers['content-length'] ?? 0) > limit) return void done(excess, Buffer.alloc(0));
  let buffer = Buffer.alloc(0);
  let length = 0;
  let pieces = 0;
  const stop = () => stream.off('data', onData).off('end', onEnd).off('error', onError);
  const refuse = (error: Error) => {
    stop().resume();
    buffer = Buffer.alloc(0);
    bodyCount?.giveBack();
    done(error, buffer);
  };
  const onData = (chunk: Buffer) => {
    if (bodyCount?.isOver) return stop().resume();
    if (length + chunk.length > limit) return refuse(excess);
    pieces += 1;
    if (pieces > MAX_PIECES) return refuse(TOO_MANY_PIECES);
    const refusal = bodyCount?.take(chunk.length);
    if (refusal) return refuse(refusal);
    if (length + chunk.length > buffer.length) {
      const larger = Buffer.allocUnsafe(Math.max(MIN_BUFFER_BYTES, length + chunk.length, 2 * buffer.length));
      buffer.copy(larger, 0, 0, length);
      buffer = larger;
    }
    length += chunk.copy(buffer, length);
  };
  const onEnd = () => {
    stop();
    done(null, buffer.subarray(0, length));
  };
  // A client that leaves has the same error code as a database that does (ECONNRESET), and is none.
  const onError = () => refuse(LOST);
  stream.on('data', onData).on('end', onEnd).on('error', onError);
}

/**
 * Closes the connection of a client that does not end its body soon after it was answered. Until then Node reads the body
 * and throws it away. The connection is not closed at once: the kernel would reset it if bytes have arrived that nobody
 * read, and the reset can overtake the answer. Only a body in chunks, whose length nobody knows and which may cost the
 * event loop much in small chunks, is not waited for.
 */
export function registerUnreadBodies(app: FastifyInstance): void {
  app.addHook('onSend', ({ raw, headers }, reply, _payload, done) => {
    if (raw.complete === false && headers['transfer-encoding'] !== undefined) {
      raw.socket.pause();
      reply.header('connection', 'close');
    }
    done();
  });
  app.addHook('onResponse', ({ raw }, _reply, done) => {
    if (raw.complete === false) {
      setTimeout(() => {
        if (!raw.complete) raw.socket.destroy();
      }, UNREAD_MS).unref();
    }
    done();
  });
}
