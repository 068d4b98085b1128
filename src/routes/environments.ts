import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from '@sinclair/typebox';
import { spaceOf } from '../keys.js';
import { mediaTypes } from '../media-types.js';
import { allocateEnvironment, readEnvironment } from '../registry/environments.js';
import { findExpiry, listAllEnvironments, listEnvironments } from '../repositories/environments.js';
import { CreateProjectQuery, ProjectParams, ReleasedAllocations } from '../schemas/allocation.js';
import { PageQuery, Ref, SpaceQuery } from '../schemas/common.js';
import {
  EnvironmentPage,
  EnvironmentParams,
  EnvironmentPorts,
  EnvironmentQuery,
  EnvironmentServices,
  HeldEnvironmentPage,
} from '../schemas/environment.js';
import { type ServicePort, toDotenv, toVariableNames } from '../services/exports/dotenv.js';
import { ALLOCATING, answer, answerOrDotenv, LINK, LOCKING, refusals } from './answers/responses.js';
import { sendItems } from './answers/streams.js';
import { firstRangeOf, JSON_OR_TEXT, type RouteOptions, sendPage } from './requests.js';

const AllocateQuery = Type.Composite([SpaceQuery, CreateProjectQuery], { additionalProperties: false });
const PATH = '/v1/projects/:project/environments/:environment';

export const environmentRoutes: FastifyPluginAsyncTypebox<RouteOptions> = async (
  app,
  { publicUrl, config, listenerWarnings },
) => {
  app.get(
    '/v1/environments',
    {
      schema: {
        operationId: 'listAllEnvironments',
        summary: 'List the environments of all projects',
        description: 'By project and name, those that hold a port: with `path`, the one of a folder.',
        tags: ['environments'],
        querystring: EnvironmentQuery,
        response: { 200: answer(HeldEnvironmentPage, 'A page of them.', LINK), ...refusals({}) },
      },
    },
    async (request, reply) =>
      sendPage(request, reply, publicUrl, await request.session.read(listAllEnvironments, request.query)),
  );

  app.get(
    '/v1/projects/:project/environments',
    {
      schema: {
        operationId: 'listEnvironments',
        summary: 'List environments',
        description:
          'By name, those that hold a port, with their age and last use. Nothing is taken back unasked: `expiresAfterSeconds` of a PUT asks for it.',
        tags: ['environments'],
        params: ProjectParams,
        querystring: PageQuery,
        response: { 200: answer(EnvironmentPage, 'A page of them.', LINK), ...refusals({}, 'project-not-found') },
      },
    },
    async (request, reply) =>
      sendPage(
        request,
        reply,
        publicUrl,
        await request.session.read(listEnvironments, request.params.project, request.query),
      ),
  );

  app.put(
    PATH,
    {
      config: JSON_OR_TEXT,
      schema: {
        operationId: 'allocateEnvironment',
        summary: 'Get or allocate the ports of an environment',
        description:
          'Every service gets the port that it holds, or else the lowest free one: all of them or none. Idempotent. ' +
          'Services that are not named keep what they hold. With `path`, the environment belongs to that folder as long as ' +
          'it holds a port. With `expiresAfterSeconds`, it expires when nobody has used it for so long.',
        tags: ['environments'],
        params: EnvironmentParams,
        querystring: AllocateQuery,
        body: Ref(EnvironmentServices),
        response: {
          200: answerOrDotenv(EnvironmentPorts, 'All were held already. In the order given.'),
          201: answerOrDotenv(EnvironmentPorts, 'All are held now. In the order given.'),
          ...refusals({ body: true }, 'environment-elsewhere', ...ALLOCATING, 'dotenv-name-conflict'),
        },
      },
    },
    async (request, reply) => {
      const { services } = request.body;
      const asText = request.answerType === mediaTypes.text;
      // Called only to refuse names that no dotenv file can hold, before anything is allocated.
      if (asText) toVariableNames(services.map(({ service }) => service));
      const environment = { ...request.params, ...spaceOf(request.query) };
      const { outlines, pages, created, expiry } = await allocateEnvironment(
        request.session,
        environment,
        request.body,
        firstRangeOf(request.query, config),
      );
      reply.code(created ? 201 : 200);
      if (asText) return reply.type(mediaTypes.text).send(toDotenv(outlines));
      return sendItems(reply, listenerWarnings.addToPages(request.session, pages), expiry);
    },
  );

  app.get(
    PATH,
    {
      config: JSON_OR_TEXT,
      schema: {
        operationId: 'getEnvironment',
        summary: 'Read the ports of an environment',
        description:
          'By port; never allocates. As text, a service that holds several ports goes by its lowest, as in a look-up.',
        tags: ['environments'],
        params: EnvironmentParams,
        querystring: SpaceQuery,
        response: {
          200: answerOrDotenv(EnvironmentPorts, 'What it holds; empty if nothing.'),
          ...refusals({}, 'project-not-found', 'dotenv-name-conflict'),
        },
      },
    },
    async (request, reply) => {
      const { project, environment } = request.params;
      const pages = readEnvironment(request.session, { ...request.params, ...spaceOf(request.query) });
      if (request.answerType !== mediaTypes.text) {
        const expiry = await request.session.read(findExpiry, project, environment);
        return sendItems(reply, listenerWarnings.addToPages(request.session, pages), expiry);
      }
      const ports: ServicePort[] = [];
      for await (const page of pages) ports.push(...page.map(({ service, port }) => ({ service, port })));
      return reply.type(mediaTypes.text).send(toDotenv(ports));
    },
  );

  app.delete(
    PATH,
    {
      schema: {
        operationId: 'releaseEnvironment',
        summary: 'Release an environment',
        description: 'Releases all that it holds on one host and protocol. Repeatable.',
        tags: ['environments'],
        params: EnvironmentParams,
        querystring: SpaceQuery,
        response: {
          200: answer(ReleasedAllocations, 'What was released.'),
          ...refusals({}, ...LOCKING, 'project-not-found'),
        },
      },
    },
    async ({ session, params: { project, environment }, query }) => {
      const command = { kind: 'release-environment' as const, environment, ...spaceOf(query) };
      return { items: await session.execute(project, command) };
    },
  );
};
