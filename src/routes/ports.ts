import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { spaceOf } from '../keys.js';
import { listPortHistory } from '../repositories/reports/port-history.js';
import { PageQuery, SpaceQuery } from '../schemas/common.js';
import { ListeningPortPage, Port, PortHistoryPage, PortHistoryQuery, PortParams } from '../schemas/port.js';
import { describePort } from '../services/listeners/described-port.js';
import { listListeners } from '../services/listeners/listener-list.js';
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
          'On one host and protocol: its range, the allocation or reservation that holds it, why it is excluded if it is, ' +
          'and on the machine of the service who listens on it now.',
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

  app.get(
    '/v1/listeners',
    {
      schema: {
        operationId: 'listListeners',
        summary: 'List what listens on the machine of the service',
        description:
          'By port, then protocol. What listens is two seconds old at most, and which process it is a minute. Of ports in ' +
          'ranges of projects that the caller may not see nothing is told, and of numbers in no range only to callers who ' +
          "see all projects. A service in a container sees the container's own ports, and what the engine tells of others " +
          '(`CONTAINER_SOCKET`). The list is empty where it cannot be read, and where the ports of `localhost` are those ' +
          'of another machine (`PROBE_TARGETS`).',
        tags: ['ports'],
        querystring: PageQuery,
        response: { 200: answer(ListeningPortPage, 'A page of it.', LINK), ...refusals({}) },
      },
    },
    async (request, reply) =>
      sendPage(request, reply, publicUrl, await listListeners(request.session, listeners, request.query)),
  );
};
