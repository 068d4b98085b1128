import type { Socket } from 'node:net';
import type { FastifyReply, FastifyRequest } from 'fastify';

/** What waits for the end of a connection's requests. */
const waiting = new WeakMap<Socket, Set<() => void>>();

/**
 * Calls `callback` once when a request ends: when its answer was sent or its connection is gone.
 *
 * The answer's own `close` event is not enough. Node answers the requests that a client has sent together on one
 * connection (pipelining) one after another, and gives each answer to the connection only when its turn has come. If
 * the connection breaks before that, the answers that were not given to it never emit `close`, and what was counted for
 * their requests would be counted for ever. So the connection is listened to as well: once for all its requests.
 */
export function whenRequestEnds({ raw }: FastifyRequest, reply: FastifyReply, callback: () => void): void {
  const { socket } = raw;
  if (socket.destroyed) return void callback();
  const callbacks = waiting.get(socket) ?? listenTo(socket);
  const end = () => {
    if (callbacks.delete(end)) callback();
  };
  callbacks.add(end);
  reply.raw.once('close', end);
}

function listenTo(socket: Socket): Set<() => void> {
  const callbacks = new Set<() => void>();
  waiting.set(socket, callbacks);
  socket.once('close', () => {
    for (const end of callbacks) end();
  });
  return callbacks;
}
