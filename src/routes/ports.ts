import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { spaceOf } from '../keys.js';
import { listPortHistory } from '../repositories/reports/port-history.js';
import { SpaceQuery } from '../schemas/common.js';
import { Port, PortHistoryPage, PortHistoryQuery, PortParams } from '../schemas/port.js';
import { describePort } from '../services/listeners/described-port.js';
import { answer, LINK, refusals } from './answers/responses.js';
import { type RouteOptions, sendPage } from './requests.js';

export const portRoutes: FastifyPluginAsyncTypebox<RouteOptions> = async (app, { listeners, publicUrl }) => {
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

  app.get(
    '/v1/ports/:port/history',
    {
      schema: {
        operationId: 'listPortHistory',
        summary: 'Tell who held a port number',
        description:
          'On one host and protocol, the newest first, who holds it now included. What was held for projects that the ' +
          'caller may not see is left out.',
        tags: ['ports'],
        params: PortParams,
        querystring: PortHistoryQuery,
        response: { 200: answer(PortHistoryPage, 'A page of it.', LINK), ...refusals({}) },
      },
    },
    async (request, reply) => {
      const { session, params, query } = request;
      const history = await session.read(listPortHistory, params.port, spaceOf(query), query);
      return sendPage(request, reply, publicUrl, history);
    },
  );
};
