import type { FastifyInstance, FastifyReply } from 'fastify';
import { type Caller, UNIDENTIFIED } from '../access/caller.js';
import { AppError } from '../errors.js';
import type { Keyring } from '../services/keyring.js';
import type { RateLimit } from './limits/rate-limit.js';

declare module 'fastify' {
  interface FastifyRequest {
    /** Who sends the request. `UNIDENTIFIED` until the key has been checked, and on routes that need no key. */
    caller: Caller;
  }
}

/** Routes that need no key, in addition to everything under /docs/. A path that matches no route does need one. */
const OPEN: ReadonlySet<string> = new Set([
  '/',
  '/assets/:name',
  '/livez',
  '/readyz',
  '/openapi.json',
  '/openapi.yaml',
  '/docs',
]);

/**
 * Identifies the caller of each request by its bearer key (RFC 6750), for REST and MCP alike, and applies the rate
 * limit. Requests without a valid key count towards the limit too, by their address.
 */
export function registerAuthentication(app: FastifyInstance, keyring: Keyring, limit: RateLimit | null): void {
  app.decorateRequest('caller');
  app.addHook('onRequest', (request, reply, done) => {
    request.caller = UNIDENTIFIED;
    const countAndContinue = (refusal?: Error) => done(limit?.count(request) ?? refusal);
    const route = request.routeOptions.url;
    if (keyring.inForce && route !== undefined && isOpen(route)) return countAndContinue();
    const key = /^Bearer +([^ ]+) *$/i.exec(request.headers.authorization ?? '')?.[1] ?? null;
    const identified = (caller: Caller) => {
      request.caller = caller;
      countAndContinue();
    };
    const refused = (error: unknown) => {
      if (error instanceof AppError && error.code === 'unauthorized') challenge(reply, key);
      countAndContinue(error as Error);
    };
    try {
      const found = keyring.identify(key);
      if (found instanceof Promise) found.then(identified, refused);
      else identified(found);
    } catch (error) {
      refused(error);
    }
  });
}

function challenge(reply: FastifyReply, key: string | null): void {
  reply.header('www-authenticate', `Bearer realm="port-allocator"${key === null ? '' : ', error="invalid_token"'}`);
}

const isOpen = (route: string): boolean => OPEN.has(route) || route.startsWith('/docs/');
