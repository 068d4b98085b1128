import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import {
  allocate,
  findAllocation,
  listAllocations,
  releaseAllocation,
  updateAllocation,
} from '../registry/allocations.js';
import {
  AllocatedPorts,
  Allocation,
  AllocationDetails,
  AllocationPage,
  AllocationParams,
  AllocationQuery,
  CreateProjectQuery,
  NewAllocation,
  ProjectParams,
} from '../schemas/allocation.js';
import { IdempotencyHeaders, Ref } from '../schemas/common.js';
import { ALLOCATING, answer, LINK, LOCATION, LOCKING, refusals } from './answers/responses.js';
import { firstRangeOf, type RouteOptions, readIdempotencyKey, sendPage } from './requests.js';

export const allocationRoutes: FastifyPluginAsyncTypebox<RouteOptions> = async (
  app,
  { publicUrl, config, listenerWarnings },
) => {
  app.post(
    '/v1/projects/:project/allocations',
    {
      schema: {
        operationId: 'allocatePort',
        summary: 'Allocate a further port',
        description:
          'Always a new port: the lowest usable one, `port`, or `prefer` if that would be given out unasked. With ' +
          '`"protocol": "both"` one number for TCP and UDP, both or neither, answered as `items[]`. To get the port that a ' +
          'service has already, use `PUT /v1/projects/{project}/services/{service}`.',
        tags: ['allocations'],
        params: ProjectParams,
        querystring: CreateProjectQuery,
        headers: IdempotencyHeaders,
        body: Ref(NewAllocation),
        response: {
          201: answer(AllocatedPorts, 'It is held now.', LOCATION),
          ...refusals({ body: true }, ...ALLOCATING, 'port-taken', 'port-outside-range', 'idempotency-key-reused'),
        },
      },
    },
    async (request, reply) => {
      const idempotency = readIdempotencyKey(request, [request.params, request.body]);
      const firstRange = firstRangeOf(request.query, config);
      const { session, params, body } = request;
      const { allocated, replayed } = await allocate(session, params.project, body, idempotency, firstRange);
      if (replayed) reply.header('idempotent-replayed', 'true');
      // A pair has no URL of its own, so it is told where its first allocation is.
      const [first] = 'items' in allocated ? allocated.items : [allocated];
      reply.code(201).header('location', `${publicUrl}/v1/allocations/${first?.id}`);
      return listenerWarnings.addToNew(session, allocated, replayed ? undefined : body.port);
    },
  );

  app.get(
    '/v1/allocations',
    {
      schema: {
        operationId: 'listAllocations',
        summary: 'List allocations',
        description: 'By port, then id. Active ones, unless `status` or `at` says otherwise.',
        tags: ['allocations'],
        querystring: AllocationQuery,
        response: { 200: answer(AllocationPage, 'A page of them.', LINK), ...refusals({}) },
      },
    },
    async (request, reply) =>
      sendPage(request, reply, publicUrl, await listAllocations(request.session, request.query)),
  );

  app.get(
    '/v1/allocations/:id',
    {
      schema: {
        operationId: 'getAllocation',
        summary: 'Read an allocation',
        description: 'Also one that was released: history stays.',
        tags: ['allocations'],
        params: AllocationParams,
        response: { 200: answer(Allocation, 'The allocation.'), ...refusals({}, 'allocation-not-found') },
      },
    },
    async ({ session, params }) => listenerWarnings.add(session, await findAllocation(session, params.id)),
  );

  app.patch(
    '/v1/allocations/:id',
    {
      schema: {
        operationId: 'updateAllocation',
        summary: 'Update descriptive fields',
        description: 'What is left out stays as it is; `null` clears; `metadata` is replaced as a whole.',
        tags: ['allocations'],
        params: AllocationParams,
        body: Ref(AllocationDetails),
        response: {
          200: answer(Allocation, 'As it is now.'),
          ...refusals({ body: true }, ...LOCKING, 'allocation-not-found', 'allocation-released'),
        },
      },
    },
    (request) => updateAllocation(request.session, request.params.id, request.body),
  );

  app.delete(
    '/v1/allocations/:id',
    {
      schema: {
        operationId: 'releaseAllocation',
        summary: 'Release an allocation',
        description: "Repeatable, and safe to repeat late: the port's next holder is never touched.",
        tags: ['allocations'],
        params: AllocationParams,
        response: {
          200: answer(Allocation, 'As it was released.'),
          ...refusals({}, ...LOCKING, 'allocation-not-found'),
        },
      },
    },
    (request) => releaseAllocation(request.session, request.params.id),
  );
};
