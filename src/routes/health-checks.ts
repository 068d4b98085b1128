import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { listHealthChecks } from '../registry/health-checks.js';
import { AllocationParams } from '../schemas/allocation.js';
import { IdempotencyHeaders, PageQuery, Ref } from '../schemas/common.js';
import { HealthCheck, HealthCheckPage, NewHealthCheck } from '../schemas/health-check.js';
import { checkHealth } from '../services/health-checks.js';
import { answer, LINK, LOCKING, refusals } from './answers/responses.js';
import { type RouteOptions, readIdempotencyKey, sendPage } from './requests.js';

const PATH = '/v1/allocations/:id/health-checks';

export const healthCheckRoutes: FastifyPluginAsyncTypebox<RouteOptions> = async (
  app,
  { publicUrl, prober, config },
) => {
  app.post(
    PATH,
    {
      config: { timeoutMs: config.requestTimeoutMs + prober.timeoutMs },
      schema: {
        operationId: 'createHealthCheck',
        summary: 'Verify an allocation',
        description:
          'Tries one TCP connection, stores the result and moves the status: `open` makes it `in_use`, `refused` takes ' +
          '`in_use` back to `allocated`, `timeout` and `unreachable` leave it. UDP ports, released allocations and ' +
          'hosts that are not allowed are `not-probeable`. If the service has run out of open files or the like and cannot ' +
          'probe, it is `overloaded`, and nothing is stored.',
        tags: ['audits'],
        params: AllocationParams,
        headers: IdempotencyHeaders,
        body: Ref(NewHealthCheck),
        response: {
          201: answer(HealthCheck, 'What was found.'),
          ...refusals(
            { body: true },
            ...LOCKING,
            'allocation-not-found',
            'not-probeable',
            'limit-reached',
            'idempotency-key-reused',
          ),
        },
      },
    },
    async (request, reply) => {
      const idempotency = readIdempotencyKey(request, [request.params, request.body]);
      const { healthCheck, replayed } = await checkHealth(request.session, prober, request.params.id, idempotency);
      if (replayed) reply.header('idempotent-replayed', 'true');
      return reply.code(201).send(healthCheck);
    },
  );

  app.get(
    PATH,
    {
      schema: {
        operationId: 'listHealthChecks',
        summary: 'List health checks',
        description: 'Of one allocation, released or not, newest first.',
        tags: ['audits'],
        params: AllocationParams,
        querystring: PageQuery,
        response: { 200: answer(HealthCheckPage, 'A page of them.', LINK), ...refusals({}, 'allocation-not-found') },
      },
    },
    async (request, reply) =>
      sendPage(request, reply, publicUrl, await listHealthChecks(request.session, request.params.id, request.query)),
  );
};
