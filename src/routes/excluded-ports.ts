import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { invalid } from '../errors.js';
import { excludePort, removeExcludedPort } from '../registry/excluded-ports.js';
import { findExcludedPort, listExcludedPorts } from '../repositories/excluded-ports.js';
import { FIRST_PORT, LAST_PORT } from '../repositories/ranges.js';
import { PageQuery, Ref } from '../schemas/common.js';
import { ExcludedPort, ExcludedPortPage, PortExclusion, PortParams } from '../schemas/port.js';
import { answer, LINK, LOCATION, refusals } from './answers/responses.js';
import { NO_CONTENT, type RouteOptions, sendPage } from './requests.js';

export const excludedPortRoutes: FastifyPluginAsyncTypebox<RouteOptions> = async (app, { publicUrl }) => {
  app.get(
    '/v1/excluded-ports',
    {
      schema: {
        operationId: 'listExcludedPorts',
        summary: 'List excluded ports',
        description:
          'By port. A new registry excludes those that browsers and `fetch` refuse to connect to, the bad ports of the ' +
          '[Fetch standard](https://fetch.spec.whatwg.org/#port-blocking) that a range can have: 3659, 4045, 4190, ' +
          '5060, 5061, 6000, 6566, 6665–6669, 6679, 6697, 10080. They can be removed and put back like any other.',
        tags: ['ports'],
        querystring: PageQuery,
        response: { 200: answer(ExcludedPortPage, 'A page of them.', LINK), ...refusals({}) },
      },
    },
    async (request, reply) =>
      sendPage(request, reply, publicUrl, await request.session.readUnfiltered(listExcludedPorts, request.query)),
  );

  app.get(
    '/v1/excluded-ports/:port',
    {
      schema: {
        operationId: 'getExcludedPort',
        summary: 'Tell why a port is excluded',
        description: 'A port that is not excluded is answered with 404.',
        tags: ['ports'],
        params: PortParams,
        response: { 200: answer(ExcludedPort, 'The reason.'), ...refusals({}, 'excluded-port-not-found') },
      },
    },
    (request) => request.session.readUnfiltered(findExcludedPort, request.params.port),
  );

  app.put(
    '/v1/excluded-ports/:port',
    {
      schema: {
        operationId: 'excludePort',
        summary: 'Exclude a port',
        description:
          'For admins. The port, from 3000 to 64999, is given to nobody unasked from now on, on any host and protocol; by ' +
          'its number it can still be had. Whoever holds it keeps it, and it counts as held until it is released.',
        tags: ['ports'],
        params: PortParams,
        body: Ref(PortExclusion),
        response: {
          200: answer(ExcludedPort, 'It was excluded already, and has this reason now.'),
          201: answer(ExcludedPort, 'It is excluded now.', LOCATION),
          ...refusals({ body: true }),
        },
      },
    },
    async ({ session, params: { port }, body: { reason } }, reply) => {
      requirePortOfRanges(port);
      const { excluded, created } = await excludePort(session, port, reason);
      if (created) reply.code(201).header('location', `${publicUrl}/v1/excluded-ports/${port}`);
      return excluded;
    },
  );

  app.delete(
    '/v1/excluded-ports/:port',
    {
      config: NO_CONTENT,
      schema: {
        operationId: 'removeExcludedPort',
        summary: 'Give out an excluded port again',
        description: 'For admins. It is given out like any other from now on, if it is in a range.',
        tags: ['ports'],
        params: PortParams,
        response: {
          204: { type: 'null', description: 'It is not excluded any more.' },
          ...refusals({}, 'excluded-port-not-found'),
        },
      },
    },
    async (request, reply) => {
      await removeExcludedPort(request.session, request.params.port);
      return reply.code(204).send();
    },
  );
};

/** @throws AppError validation-failed */
function requirePortOfRanges(port: number): void {
  if (port >= FIRST_PORT && port <= LAST_PORT) return;
  throw invalid(
    '/path/port',
    `Only ${FIRST_PORT} to ${LAST_PORT} can be excluded. No range can have ${port}, so nobody is given it anyway.`,
  );
}
