import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { describeCaller } from '../access/caller.js';
import { createApiKey, revokeApiKey } from '../registry/api-keys.js';
import { listApiKeys } from '../repositories/api-keys.js';
import { ApiKeyPage, ApiKeyParams, Caller, CreatedApiKey, NewApiKey } from '../schemas/api-key.js';
import { IdempotencyHeaders, PageQuery, Ref } from '../schemas/common.js';
import { answer, LINK, refusals } from './answers/responses.js';
import { NO_CONTENT, type RouteOptions, readIdempotencyKey, sendPage } from './requests.js';

export const apiKeyRoutes: FastifyPluginAsyncTypebox<RouteOptions> = async (app, { keyring, publicUrl }) => {
  app.post(
    '/v1/api-keys',
    {
      schema: {
        operationId: 'createApiKey',
        summary: 'Make a key',
        description:
          'For admins. The answer holds the secret, which is shown this once and stored nowhere. It can be used at once, ' +
          'on every replica.',
        tags: ['api-keys'],
        headers: IdempotencyHeaders,
        body: Ref(NewApiKey),
        response: {
          201: answer(CreatedApiKey, 'With its secret.'),
          ...refusals({ body: true }, 'idempotency-key-reused'),
        },
      },
    },
    async (request, reply) => {
      const idempotency = readIdempotencyKey(request, request.body);
      const { apiKey, replayed } = await createApiKey(request.session, request.body, idempotency);
      if (replayed) reply.header('idempotent-replayed', 'true');
      return reply.code(201).send(apiKey);
    },
  );

  app.get(
    '/v1/api-keys',
    {
      schema: {
        operationId: 'listApiKeys',
        summary: 'List keys',
        description: 'For admins. Oldest first, without their secrets; expired ones too, until they are revoked.',
        tags: ['api-keys'],
        querystring: PageQuery,
        response: { 200: answer(ApiKeyPage, 'A page of them.', LINK), ...refusals({}) },
      },
    },
    async (request, reply) => {
      await keyring.touch(); // stores the last uses that this replica has only noted so far, so that the list has them
      return sendPage(request, reply, publicUrl, await request.session.read(listApiKeys, request.query));
    },
  );

  app.delete(
    '/v1/api-keys/:id',
    {
      config: NO_CONTENT,
      schema: {
        operationId: 'revokeApiKey',
        summary: 'Revoke a key',
        description: 'For admins. It is refused on every replica within 5 seconds.',
        tags: ['api-keys'],
        params: ApiKeyParams,
        response: { 204: { type: 'null', description: 'It is gone.' }, ...refusals({}, 'api-key-not-found') },
      },
    },
    async (request, reply) => {
      await revokeApiKey(request.session, request.params.id);
      return reply.code(204).send();
    },
  );

  app.get(
    '/v1/caller',
    {
      schema: {
        operationId: 'getCaller',
        summary: 'Tell what the caller is and may do',
        description:
          'By the key that is sent, so that a client can offer only what will not be refused. A change of the key counts ' +
          'within 5 seconds.',
        tags: ['api-keys'],
        response: { 200: answer(Caller, 'What it is, and what limits it.'), ...refusals({}) },
      },
    },
    async ({ session }) => describeCaller(session.access.caller),
  );
};
