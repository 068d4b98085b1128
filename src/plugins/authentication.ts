import { createHash, timingSafeEqual } from 'node:crypto';
import type { FastifyInstance } from 'fastify';
import { ANONYMOUS, type Caller, ENVIRONMENT_ADMIN } from '../caller.js';
import { AppError } from '../errors.js';

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
 * Finds out who asks, for REST and MCP alike (RFC 6750).
 * @param adminApiKey null where no keys are in force: then everyone is anonymous, and nobody is refused
 */
export function registerAuthentication(app: FastifyInstance, adminApiKey: string | null): void {
  app.decorateRequest('caller');
  const expected = adminApiKey === null ? null : hash(adminApiKey);
  app.addHook('onRequest', (request, reply, done) => {
    request.caller = ANONYMOUS;
    const route = request.routeOptions.url;
    if (expected === null || (route !== undefined && isOpen(route))) return done();
    const { authorization } = request.headers;
    const key = /^Bearer +([^ ]+) *$/i.exec(authorization ?? '')?.[1];
    // Hashes are of one length, so that the comparison takes the same time whatever was given.
    if (key !== undefined && timingSafeEqual(hash(key), expected)) {
      request.caller = ENVIRONMENT_ADMIN;
      return done();
    }
    reply.header(
      'www-authenticate',
      `Bearer realm="port-allocator"${key === undefined ? '' : ', error="invalid_token"'}`,
    );
    done(new AppError('unauthorized', key === undefined ? MISSING : WRONG));
  });
}

const MISSING = 'This needs a key: send Authorization: Bearer <key>.';
const WRONG = 'The key that was sent is not valid here.';

const isOpen = (route: string): boolean => OPEN.has(route) || route.startsWith('/docs/');

const hash = (text: string): Buffer => createHash('sha256').update(text).digest();
