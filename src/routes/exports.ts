import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import makeEtag from 'etag';
import isFresh from 'fresh';
import { notAcceptable } from '../plugins/negotiation.js';
import { requireRange } from '../repositories/ranges.js';
import { findDuplicateHostnames } from '../repositories/reports/exports.js';
import { ExportDocument, ExportParams, ExportQuery } from '../schemas/export.js';
import { exporters } from '../services/exports/exporters.js';
import { Renderer } from '../services/exports/rendering.js';
import { readExported } from '../services/exports/source.js';
import { abortOnDisconnect } from './answers/event-stream.js';
import { refusals } from './answers/responses.js';
import { concat, toStream } from './answers/streams.js';
import type { RouteOptions } from './requests.js';

/** How many duplicate hostnames the header names at most, so that it stays short. */
const MAX_NAMED_DUPLICATES = 20;

export const exportRoutes: FastifyPluginAsyncTypebox<RouteOptions> = async (app) => {
  const renderer = new Renderer();
  app.get(
    '/v1/exports/:format',
    {
      config: { produces: [...new Set(Object.values(exporters).map(({ mediaType }) => mediaType))] },
      schema: {
        operationId: 'exportAllocations',
        summary: 'Export what is held for another program',
        description:
          'For Prometheus (http_sd), Traefik (HTTP provider), cloudflared (ingress), Consul (service definitions) and ' +
          'dotenv readers, each in its own media type; up to 1 MiB with an ETag. Of a Cloudflare hostname that several ' +
          'allocations have, the oldest on TCP of the project that has it is routed; the others are left out of what ' +
          'routes it, and the hostname is named in a header.',
        tags: ['exports'],
        params: ExportParams,
        querystring: ExportQuery,
        response: {
          200: {
            description: 'What the program reads, in a stable order.',
            headers: {
              ETag: {
                type: 'string',
                description:
                  'Of this very text (RFC 9110, 8.8.3), for `If-None-Match`; absent where it is larger than 1 MiB.',
              },
              'X-Duplicate-Hostnames': {
                type: 'string',
                description:
                  'Cloudflare hostnames of allocations to which they are not routed, the first 20; absent if none.',
              },
            },
            content: {
              'application/json': { schema: { $ref: ExportDocument.$id } },
              'application/yaml': { schema: { type: 'string', description: 'For cloudflared.' } },
              'text/plain': { schema: { type: 'string', description: 'Dotenv lines.', examples: ['WEB_PORT=3100\n'] } },
            },
          },
          304: { description: 'Nothing has changed since the answer with that ETag.', type: 'null' },
          ...refusals({}, 'project-not-found', 'dotenv-name-conflict'),
        },
      },
    },
    async (request, reply) => {
      const { mediaType, write } = exporters[request.params.format];
      if (request.headers.accept && !request.accepts().type([mediaType])) {
        throw notAcceptable([mediaType]);
      }
      const { session, query } = request;
      if (query.project !== undefined) await session.read(requireRange, query.project);
      const duplicates = await session.read(findDuplicateHostnames, query, MAX_NAMED_DUPLICATES);
      if (duplicates.length > 0) reply.header('x-duplicate-hostnames', duplicates.join(', '));
      const { text, rest } = await renderer.begin(write(readExported(session, query)), abortOnDisconnect(reply));
      if (rest !== null)
        return reply
          .type(mediaType)
          .header('cache-control', 'no-cache')
          .send(toStream(concat([text], rest)));
      const etag = makeEtag(text);
      reply.headers({ etag, 'cache-control': 'no-cache' });
      // The request's `Cache-Control` is not considered: fetch() in Node adds `no-cache` to every request for which its
      // caller sets `If-None-Match`.
      if (isFresh({ 'if-none-match': request.headers['if-none-match'] }, { etag })) return reply.code(304).send();
      return reply.type(mediaType).serializer(String).send(text);
    },
  );
};
