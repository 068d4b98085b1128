import type { FastifyInstance } from 'fastify';

/**
 * What every answer says to a browser: take it for what it says it is, run and frame nothing of it, keep and pass on
 * nothing. A page sets a policy of its own over this one. TLS is the proxy's, and so is Strict-Transport-Security.
 */
export const SECURITY_HEADERS = {
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
  'cache-control': 'no-store',
};

export function registerSecurityHeaders(app: FastifyInstance): void {
  app.addHook('onRequest', (_request, reply, done) => {
    reply.headers(SECURITY_HEADERS);
    done();
  });
}
