import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { actorOf, describeClient } from '../access/actor.js';
import { callerId } from '../access/caller.js';
import type { Redact } from '../access/redact.js';
import type { FirstRange } from '../allocator/new-range.js';
import type { Config } from '../config.js';
import { mediaTypes } from '../media-types.js';
import type { Registry } from '../registry/registry.js';
import type { Session } from '../registry/session.js';
import { hashRequest, type IdempotencyKey } from '../repositories/idempotency-keys.js';
import type { Page } from '../repositories/pages.js';
import type { Service } from '../service.js';

declare module 'fastify' {
  interface FastifyRequest {
    /** The registry as the request's caller may use it. Only requests to routes under /v1/ have one. */
    session: Session;
  }
}

/** The options that every plugin of routes is registered with. */
export interface RouteOptions extends Service {
  /** Prefix of every path in an answer: '', or a URL or path without a trailing slash. */
  publicUrl: string;
}

/** Opens a session for each request of the app's routes. Every method but GET and HEAD counts as a change. */
export function registerSessions(app: FastifyInstance, registry: Registry, redact: Redact): void {
  app.decorateRequest('session');
  app.addHook('preHandler', (request, reply, done) => {
    const { method, caller, raw } = request;
    // True once the client has disconnected, or the request timeout has already answered.
    const isAbandoned = () => reply.sent || raw.socket.destroyed;
    const actor = () => actorOf(caller, describeClient(request.headers['user-agent'], redact));
    const intent = method === 'GET' || method === 'HEAD' ? 'read' : 'change';
    request.session = registry.as(caller, intent, { isAbandoned, actor });
    done();
  });
}

/**
 * Reads the `Idempotency-Key` header; null if there is none.
 * @param input what the client sent: two requests with the same key and different input are not retries of each other
 */
export function readIdempotencyKey(
  request: FastifyRequest<{ Headers: { 'idempotency-key'?: string } }>,
  input: unknown,
): IdempotencyKey | null {
  const key = request.headers['idempotency-key'];
  if (key === undefined) return null;
  const operation = `${request.method} ${request.routeOptions.url}`;
  return { caller: callerId(request.caller), key, requestHash: hashRequest(operation, input) };
}

/** The first range that a request gives its project with `createProject=true`. */
export function firstRangeOf(
  { createProject }: { createProject?: boolean },
  { reuseCooldownSeconds }: Pick<Config, 'reuseCooldownSeconds'>,
): FirstRange | undefined {
  return createProject ? { reuseCooldownSeconds } : undefined;
}

/** Configures a route that answers JSON, or plain text if the client's `Accept` header prefers that. */
export const JSON_OR_TEXT = { produces: [mediaTypes.json, mediaTypes.text] };

/** Configures a route whose answer has no content. */
export const NO_CONTENT = { produces: [] };

/** Sends a page of a list. If there is a next page, adds a `Link` header to it (RFC 8288). */
export function sendPage<T>(request: FastifyRequest, reply: FastifyReply, publicUrl: string, page: Page<T>): Page<T> {
  if (page.nextCursor !== null) {
    const [path = '', query = ''] = request.url.split('?', 2);
    const next = new URLSearchParams(query);
    next.set('cursor', page.nextCursor);
    reply.header('link', `<${publicUrl}${path}?${next}>; rel="next"`);
  }
  return page;
}
