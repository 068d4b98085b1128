import { Type } from '@sinclair/typebox';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { callerId } from '../access/caller.js';
import type { Registry } from '../registry/registry.js';
import type { Session } from '../registry/session.js';
import { hashRequest, type IdempotencyKey } from '../repositories/idempotency-keys.js';
import type { Page } from '../repositories/pages.js';
import type { Service } from '../service.js';

declare module 'fastify' {
  interface FastifyRequest {
    /** The registry as far as the request's caller may use it; for routes under /v1/. */
    session: Session;
  }
}

/** What routes are registered with. */
export interface RouteOptions extends Service {
  /** In front of every path that an answer names: '' or a URL or path without a trailing slash. */
  publicUrl: string;
}

/** Opens a session for each request under /v1/. Whatever is no GET or HEAD changes something. */
export function registerSessions(app: FastifyInstance, registry: Registry): void {
  app.decorateRequest('session');
  app.addHook('preHandler', (request, reply, done) => {
    const { method, caller, routeOptions, raw } = request;
    if (!routeOptions.url?.startsWith('/v1/')) return done();
    // The client has gone, or was answered already by a timeout.
    const isAbandoned = () => reply.sent || raw.socket.destroyed;
    request.session = registry.as(caller, method === 'GET' || method === 'HEAD' ? 'read' : 'change', { isAbandoned });
    done();
  });
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

/** @param input of the request, by which a retry is told from another request under the same key */
export function idempotencyOf(
  request: FastifyRequest<{ Headers: { 'idempotency-key'?: string } }>,
  input: unknown,
): IdempotencyKey | null {
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
