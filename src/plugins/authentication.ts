import type { FastifyInstance, FastifyReply } from 'fastify';
import { type Caller, UNIDENTIFIED } from '../access/caller.js';
import { AppError } from '../errors.js';
import type { Keyring } from '../services/keyring.js';
import type { RateLimit } from './rate-limit.js';

declare module 'fastify' {
  interface FastifyRequest {
    /** Set before anything else of a request is looked at. */
    caller: Caller;
  }
}

/** Routes that need no key; all of /docs is beside them. What no route matches needs one too. */
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
 * Finds out who asks, for REST and MCP alike (RFC 6750), and whether they ask too often: those without a valid key are
 * counted too, by their address.
 */
export function registerAuthentication(app: FastifyInstance, keyring: Keyring, limit: RateLimit | null): void {
  app.decorateRequest('caller');
  app.addHook('onRequest', (request, reply, done) => {
    request.caller = UNIDENTIFIED;
    const counted = (refusal?: Error) => done(limit?.count(request) ?? refusal);
    const route = request.routeOptions.url;
    if (keyring.inForce && route !== undefined && isOpen(route)) return counted();
    const key = /^Bearer +([^ ]+) *$/i.exec(request.headers.authorization ?? '')?.[1] ?? null;
    const identified = (caller: Caller) => {
      request.caller = caller;
      counted();
    };
    const refused = (error: unknown) => {
      if (error instanceof AppError && error.code === 'unauthorized') challenge(reply, key);
      counted(error as Error);
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
