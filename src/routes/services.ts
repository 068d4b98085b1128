import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from '@sinclair/typebox';
import { keyOf } from '../keys.js';
import { mediaTypes } from '../media-types.js';
import { findService, getOrAllocate } from '../registry/allocations.js';
import {
  Allocation,
  AllocationDetails,
  CreateProjectQuery,
  KeyQuery,
  ReleasedAllocations,
  ServiceParams,
} from '../schemas/allocation.js';
import { Ref } from '../schemas/common.js';
import { ALLOCATING, answer, answerOrPort, LOCKING, refusals } from './answers/responses.js';
import { firstRangeOf, JSON_OR_TEXT, type RouteOptions } from './requests.js';

const AllocateQuery = Type.Composite([KeyQuery, CreateProjectQuery], { additionalProperties: false });
const PATH = '/v1/projects/:project/services/:service';

export const serviceRoutes: FastifyPluginAsyncTypebox<RouteOptions> = async (app, { config, listenerWarnings }) => {
  app.put(
    PATH,
    {
      config: JSON_OR_TEXT,
      schema: {
        operationId: 'getOrAllocatePort',
        summary: 'Get or allocate a port',
        description:
          'The port that the service holds, or else the lowest free one of the project, from now on. Idempotent, ' +
          'however many callers race. Descriptive fields that are given are applied to an existing allocation too.',
        tags: ['services'],
        params: ServiceParams,
        querystring: AllocateQuery,
        body: Ref(AllocationDetails),
        response: {
          200: answerOrPort(Allocation, 'It held one already.'),
          201: answerOrPort(Allocation, 'It holds one now.'),
          ...refusals({ body: true }, ...ALLOCATING),
        },
      },
    },
    async (request, reply) => {
      const key = keyOf(request.params, request.query);
      const { allocation, created } = await getOrAllocate(
        request.session,
        key,
        request.body,
        firstRangeOf(request.query, config),
      );
      reply.code(created ? 201 : 200);
      if (request.answerType === mediaTypes.text) return sendPort(reply, allocation);
      return listenerWarnings.add(request.session, allocation);
    },
  );

  app.get(
    PATH,
    {
      config: JSON_OR_TEXT,
      schema: {
        operationId: 'getServicePort',
        summary: "Look up a service's port",
        description: 'The lowest port that the service holds; never allocates.',
        tags: ['services'],
        params: ServiceParams,
        querystring: KeyQuery,
        response: {
          200: answerOrPort(Allocation, 'Its allocation.'),
          ...refusals({}, 'project-not-found', 'allocation-not-found'),
        },
      },
    },
    async (request, reply) => {
      const allocation = await findService(request.session, keyOf(request.params, request.query));
      if (request.answerType === mediaTypes.text) return sendPort(reply, allocation);
      return listenerWarnings.add(request.session, allocation);
    },
  );

  app.delete(
    PATH,
    {
      schema: {
        operationId: 'releaseServicePorts',
        summary: "Release a service's ports",
        description: 'Releases every port that the service holds in this environment, host and protocol. Repeatable.',
        tags: ['services'],
        params: ServiceParams,
        querystring: KeyQuery,
        response: {
          200: answer(ReleasedAllocations, 'What was released.'),
          ...refusals({}, ...LOCKING, 'project-not-found'),
        },
      },
    },
    async (request) => {
      const key = keyOf(request.params, request.query);
      return { items: await request.session.execute(key.project, { kind: 'release-service', key }) };
    },
  );
};

function sendPort(reply: { type(mime: string): { send(body: string): unknown } }, { port }: Allocation) {
  return reply.type(mediaTypes.text).send(String(port));
}
