import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Liveness, Readiness } from '../schemas/health.js';
import { answer, RETRY_AFTER, refusals } from './answers/responses.js';
import type { RouteOptions } from './requests.js';

export const healthRoutes: FastifyPluginAsyncTypebox<RouteOptions> = async (app, { registry, readiness }) => {
  app.get(
    '/livez',
    {
      config: { isExemptFromLimits: true },
      schema: {
        operationId: 'getLiveness',
        summary: 'Tell whether the process is alive',
        description: 'Asks nothing of the database: restart the process only when this fails.',
        tags: ['health'],
        security: [],
        response: { 200: answer(Liveness, 'It is.'), ...refusals({ open: true, exempt: true }) },
      },
    },
    async () => ({ status: 'alive' as const }),
  );

  app.get(
    '/readyz',
    {
      schema: {
        operationId: 'getReadiness',
        summary: 'Tell whether this replica takes requests',
        description:
          'Started, its migrations applied, not shutting down. Counts towards the rate limit of its address, and is ' +
          'refused while the replica is overloaded; `/livez` is not.',
        tags: ['health'],
        security: [],
        response: {
          200: answer(Readiness, 'It does.'),
          ...refusals({ open: true }),
          503: answer(Readiness, 'It does not. Or a problem document with the code `overloaded`.', RETRY_AFTER),
        },
      },
    },
    async (_request, reply) => {
      const reason = readiness.reason();
      const database = (await registry.isAvailable()) ? 'available' : 'unavailable';
      if (reason === null) return { status: 'ready', database };
      return reply.code(503).send({ status: 'not-ready', database, reason });
    },
  );
};
