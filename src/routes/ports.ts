import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { spaceOf } from '../keys.js';
import { describePort } from '../repositories/reports/ports.js';
import { SpaceQuery } from '../schemas/common.js';
import { Port, PortParams } from '../schemas/port.js';
import { answer, refusals } from './answers/responses.js';
import type { RouteOptions } from './requests.js';

export const portRoutes: FastifyPluginAsyncTypebox<RouteOptions> = async (app) => {
  app.get(
    '/v1/ports/:port',
    {
      schema: {
        operationId: 'getPort',
        summary: 'Tell who owns a port number',
        description: 'On one host and protocol: its range, and the allocation or reservation that holds it.',
        tags: ['ports'],
        params: PortParams,
        querystring: SpaceQuery,
        response: { 200: answer(Port, 'Its state.'), ...refusals({}) },
      },
    },
    (request) => request.session.read(describePort, request.params.port, spaceOf(request.query)),
  );
};
