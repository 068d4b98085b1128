import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { invalidField } from '../errors.js';
import { decodeText } from '../input/decode-text.js';
import { parserOf } from '../plugins/bodies.js';
import { importPorts } from '../registry/imports.js';
import { IdempotencyHeaders, Ref } from '../schemas/common.js';
import { Import, ImportQuery, NewImport } from '../schemas/import.js';
import { toImportItems } from '../services/import-text/listening-ports.js';
import { answer, LOCKING, refusals } from './answers/responses.js';
import { type RouteOptions, readIdempotencyKey } from './requests.js';

const MISSING =
  'is required. Send `items` as JSON, or the output of `ss -ltnp` or `lsof -i -P -n` with Content-Type: text/plain';

export const importRoutes: FastifyPluginAsyncTypebox<RouteOptions> = async (app, { redact, listeners }) => {
  // Only these routes take text: Fastify keeps a parser within the plugin that adds it.
  app.addContentTypeParser('text/plain', parserOf(decodeText));

  // The body's schema is chosen by its media type. A missing body has none, so Fastify would not validate it.
  app.addHook('preValidation', async (request) => {
    if (request.headers['content-type'] === undefined) throw invalidField('/items', MISSING);
  });

  app.post(
    '/v1/imports',
    {
      schema: {
        operationId: 'importPorts',
        summary: 'Adopt ports that are in use',
        description:
          'Each goes to the project whose range covers it. What stands in the way of one is told in its item and ' +
          'keeps no other back. `counts` add up to `given`: what gives no item is in `passedOver`, with the reason. An ' +
          '`Idempotency-Key` counts for all imports of the caller, whatever their projects. ' +
          'With `Content-Type: text/plain` the body is the output of `ss -ltnp` or `lsof -i -P -n`, as it is.',
        tags: ['imports'],
        querystring: ImportQuery,
        headers: IdempotencyHeaders,
        // Text is not declared as a second media type. If it were, the client that orval generates would send JSON
        // without a `Content-Type`, which fetch() then calls text.
        body: { content: { 'application/json': { schema: Ref(NewImport) } } },
        response: {
          200: answer(Import, 'What became of each.'),
          ...refusals({ body: true }, ...LOCKING, 'limit-reached', 'idempotency-key-reused'),
        },
      },
    },
    async (request, reply) => {
      const { dryRun = false } = request.query;
      const body = request.body as NewImport | string;
      const idempotency = readIdempotencyKey(request, body);
      const containers = typeof body === 'string' ? await listeners.nameContainers() : null;
      const items = toImportItems(body, { redact, containerOf: (port) => containers?.get(port) ?? null });
      const { report, replayed } = await importPorts(request.session, items, { dryRun, idempotency });
      if (replayed) reply.header('idempotent-replayed', 'true');
      return report;
    },
  );
};
