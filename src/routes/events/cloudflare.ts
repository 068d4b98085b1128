import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { CloudflarePlan, CloudflareStatus } from '../../schemas/events/cloudflare.js';
import { abortOnDisconnect } from '../answers/event-stream.js';
import { answer, refusals } from '../answers/responses.js';
import type { RouteOptions } from '../requests.js';

/**
 * REQUEST_TIMEOUT_MS does not apply, because the first pass of some dozens of hostnames takes longer. Each call of
 * Cloudflare's API has a limit of its own, and all end if the client disconnects.
 */
const UNLIMITED = { timeoutMs: null };

export const cloudflareRoutes: FastifyPluginAsyncTypebox<RouteOptions> = async (app, { tunnelSync }) => {
  app.get(
    '/v1/cloudflare',
    {
      schema: {
        operationId: 'getCloudflareStatus',
        summary: 'Tell how the Cloudflare tunnel follows',
        description:
          'For admins. When the tunnel was last in step with the registry, and what went wrong since. It is the same on ' +
          'all replicas, and asks nothing of Cloudflare.',
        tags: ['cloudflare'],
        response: { 200: answer(CloudflareStatus, 'Also where no tunnel is configured.'), ...refusals({}) },
      },
    },
    ({ session }) => {
      session.access.requireAdmin();
      return tunnelSync.status();
    },
  );

  app.get(
    '/v1/cloudflare/plan',
    {
      config: UNLIMITED,
      schema: {
        operationId: 'planCloudflare',
        summary: 'Tell what would be changed in Cloudflare',
        description:
          'For admins. Reads the tunnel and the DNS records, and changes nothing. `changes` is empty if they are in step; ' +
          '`conflicts` are not touched.',
        tags: ['cloudflare'],
        response: {
          200: answer(CloudflarePlan, 'The plan.'),
          ...refusals({}, 'cloudflare-not-configured', 'cloudflare-unavailable'),
        },
      },
    },
    ({ session }, reply) => {
      session.access.requireAdmin();
      return tunnelSync.plan(abortOnDisconnect(reply));
    },
  );

  app.post(
    '/v1/cloudflare/apply',
    {
      config: UNLIMITED,
      schema: {
        operationId: 'applyCloudflare',
        summary: 'Bring Cloudflare in step now',
        description:
          'For admins. Makes now what is otherwise made after each change of a hostname and every few minutes, and ' +
          'begins with that, if it is the first call for the tunnel. If it breaks off, the next attempt does the rest. ' +
          'Repeatable.',
        tags: ['cloudflare'],
        response: {
          200: answer(CloudflarePlan, 'What was changed.'),
          ...refusals({}, 'cloudflare-not-configured', 'cloudflare-unavailable'),
        },
      },
    },
    ({ session }, reply) => {
      session.access.requireChange('cloudflare');
      return tunnelSync.apply(abortOnDisconnect(reply));
    },
  );
};
