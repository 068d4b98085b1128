import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { spaceOf } from '../keys.js';
import { SpaceQuery } from '../schemas/common.js';
import { Port, PortParams } from '../schemas/port.js';
import { describePort } from '../services/listeners/described-port.js';
import { answer, refusals } from './answers/responses.js';
import type { RouteOptions } from './requests.js';

export const portRoutes: FastifyPluginAsyncTypebox<RouteOptions> = async (app, { listeners }) => {
  app.get(
    '/v1/ports/:port',
    {
      schema: {
        operationId: 'getPort',
        summary: 'Tell who owns a port number',
        description:
          'On one host and protocol: its range, the allocation or reservation that holds it, and on the machine of the ' +
          'service who listens on it now.',
        tags: ['ports'],
        params: PortParams,
        querystring: SpaceQuery,
        response: { 200: answer(Port, 'Its state.'), ...refusals({}) },
      },
    },
    ({ session, params, query }) => describePort(session, listeners, params.port, spaceOf(query)),
  );
};
