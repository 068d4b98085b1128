import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import swaggerUi from '@fastify/swagger-ui';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { mediaTypes } from '../media-types.js';
import { packageRoot } from '../package-root.js';
import { makeDocument, sendDocument } from './documents.js';

/** The page may load the service's own files and call the service. `data:` is for the icons in Swagger UI's style. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

type Handler = (request: FastifyRequest, reply: FastifyReply) => FastifyReply;

/**
 * Serves the contract for people at `/docs/`: Swagger UI in a page of our own (dashboard/docs.html). The plugin's page
 * has neither our name nor a warning, and its top bar has a logo with a `<style>` element, which the policy forbids.
 * @param documents the contract itself, which the plugin would serialize anew for each request
 * @throws when the dashboard was not built
 */
export async function registerDocs(app: FastifyInstance, documents: { json: Handler; yaml: Handler }): Promise<void> {
  const page = makeDocument(mediaTypes.html, readFileSync(join(packageRoot, 'dist', 'dashboard', 'docs.html')));
  const own: Record<string, Handler> = {
    '/docs/json': documents.json,
    '/docs/yaml': documents.yaml,
    // Fastify has one route for both addresses. The page names its files relative to the one with the slash, so that
    // they are found under every BASE_PATH.
    '/docs': (request, reply) =>
      /^[^?]*\/(\?|$)/.test(request.url) ? sendDocument(request, reply, page) : reply.redirect('docs/', 308),
  };
  await app.register(swaggerUi, {
    routePrefix: '/docs',
    uiHooks: {
      preHandler: (request, reply, done) => {
        const handler = own[request.routeOptions.url?.replace(/\/$/, '') ?? ''];
        if (handler === undefined) done();
        else handler(request, reply);
      },
    },
    staticCSP: POLICY,
  });
}
