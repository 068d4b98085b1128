import type { FastifyInstance } from 'fastify';

/**
 * Headers of every answer. They tell a browser to believe its media type, to run and frame nothing of it, not to store
 * it, not to give it to pages of other origins, and not to name it as a referrer. The pages (dashboard, /docs) replace
 * the content policy with their own. TLS is up to the proxy in front, and so is Strict-Transport-Security.
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
