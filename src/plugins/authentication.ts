import type { FastifyInstance, FastifyRequest } from 'fastify';
import { type Caller, UNIDENTIFIED } from '../access/caller.js';
import type { Keyring } from '../services/keyring.js';
import { countedAs, type RateLimit } from './limits/rate-limit.js';

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
  '/.well-known/*',
  '/mcp/.well-known/*',
]);

/**
 * Identifies the caller of each request by its bearer key (RFC 6750), for REST and MCP alike, and applies the rate
 * limit. Requests without a valid key count towards the limit too, by their address.
 *
 * A key that has to be looked up counts towards its address before the look-up, so that nobody can make the database
 * work by guessing at keys: beyond the limit, wrong keys are refused without a query. If the key turns out to be valid,
 * that count is taken back and the request counts towards the key.
 */
export function registerAuthentication(app: FastifyInstance, keyring: Keyring, limit: RateLimit | null): void {
  app.decorateRequest('caller');
  app.addHook('onRequest', (request, _reply, done) => {
    request.caller = UNIDENTIFIED;
    const { config, url: route } = request.routeOptions;
    const counting = config.isExemptFromLimits ? null : limit;
    if (keyring.inForce && route !== undefined && isOpen(route))
      return done(counting?.count(countedAs(request)) ?? undefined);
    /** The address that the request has been counted towards. Most keys are known, and most requests need none. */
    let address: string | null = null;
    const beforeLookUp = () => {
      address = countedAs(request);
      const refusal = counting?.count(address);
      if (refusal) throw refusal;
    };
    const identified = (caller: Caller) => {
      request.caller = caller;
      if (address !== null) counting?.uncount(address);
      done(counting?.count(countedAs(request)) ?? undefined);
    };
    const refused = (error: unknown) =>
      done((address === null ? counting?.count(countedAs(request)) : null) ?? (error as Error));
    try {
      const found = keyring.identify(bearerOf(request), beforeLookUp);
      if (found instanceof Promise) found.then(identified, refused);
      else identified(found);
    } catch (error) {
      refused(error);
    }
  });
}

/** The key that came with a request; null if none did. */
export const bearerOf = ({ headers }: FastifyRequest): string | null =>
  /^Bearer +([^ ]+) *$/i.exec(headers.authorization ?? '')?.[1] ?? null;

const isOpen = (route: string): boolean => OPEN.has(route) || route.startsWith('/docs/');
