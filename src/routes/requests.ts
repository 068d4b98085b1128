import { Type } from '@sinclair/typebox';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { callerId } from '../caller.js';
import type { IdempotencyClaim } from '../repositories/commands.js';
import { hashRequest } from '../repositories/idempotency.js';
import type { Page } from '../repositories/pages.js';
import type { SharedStore, Store } from '../repositories/store.js';

export { keyOf, spaceOf } from '../repositories/commands.js';

/**
 * The registry, as far as who asks may use it; what is no GET changes something.
 * @throws AppError forbidden
 */
export function storeOf(stores: Pick<SharedStore, 'as'>, { caller, method }: FastifyRequest): Store {
  return stores.as(caller, method === 'GET' || method === 'HEAD' ? 'read' : 'change');
}

export const IdempotencyHeaders = Type.Object({
  'idempotency-key': Type.Optional(
    Type.String({
      minLength: 1,
      maxLength: 255,
      pattern: '^[\\x21-\\x7e]+$',
      description: 'A retry with the same key and request gets the first answer back, for 24 hours.',
      examples: ['6f1c2a34-deploy-42'],
    }),
  ),
});

/** The claim of a request that carries an `Idempotency-Key`. */
export function idempotencyOf(
  request: FastifyRequest<{ Headers: { 'idempotency-key'?: string } }>,
  input: unknown,
): IdempotencyClaim | null {
  const key = request.headers['idempotency-key'];
  if (key === undefined) return null;
  const operation = `${request.method} ${request.routeOptions.url}`;
  return { caller: callerId(request.caller), key, requestHash: hashRequest(operation, input) };
}

/** For a route that answers JSON, or text to who prefers it. */
export const JSON_OR_TEXT = { produces: ['application/json', 'text/plain'] };

/** Sends a page, with a `Link` to the next (RFC 8288). */
export function sendPage<T>(request: FastifyRequest, reply: FastifyReply, publicPath: string, page: Page<T>): Page<T> {
  if (page.nextCursor !== null) {
    const [path = '', query = ''] = request.url.split('?', 2);
    const next = new URLSearchParams(query);
    next.set('cursor', page.nextCursor);
    reply.header('link', `<${publicPath}${path}?${next}>; rel="next"`);
  }
  return page;
}

/** Whether the client has gone or was answered already, by a timeout; asked before work for it starts. */
export function isAbandoned(request: FastifyRequest, reply: FastifyReply): () => boolean {
  return () => reply.sent || request.raw.socket.destroyed;
}
