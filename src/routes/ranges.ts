import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from '@sinclair/typebox';
import { spaceOf } from '../keys.js';
import { createRange, deleteRange, ensureProject, updateRange } from '../registry/ranges.js';
import { listProjects, summarizeProject } from '../repositories/projects.js';
import { findRange, listRanges } from '../repositories/ranges.js';
import { ProjectParams } from '../schemas/allocation.js';
import { IdempotencyHeaders, PageQuery, Ref, SpaceQuery } from '../schemas/common.js';
import {
  NewProject,
  NewRange,
  ProjectPage,
  ProjectSummary,
  Range,
  RangeChange,
  RangePage,
  RangeParams,
} from '../schemas/range.js';
import { answer, LINK, LOCATION, LOCKING, refusals } from './answers/responses.js';
import { NO_CONTENT, type RouteOptions, readIdempotencyKey, sendPage } from './requests.js';

const SpacePageQuery = Type.Composite([SpaceQuery, PageQuery], { additionalProperties: false });

export const rangeRoutes: FastifyPluginAsyncTypebox<RouteOptions> = async (
  app,
  { publicUrl, config: { reuseCooldownSeconds } },
) => {
  app.get(
    '/v1/ranges',
    {
      schema: {
        operationId: 'listRanges',
        summary: 'List ranges',
        description: 'By start port, with their counts on one host and protocol.',
        tags: ['ranges'],
        querystring: SpacePageQuery,
        response: { 200: answer(RangePage, 'A page of them.', LINK), ...refusals({}) },
      },
    },
    async (request, reply) =>
      sendPage(
        request,
        reply,
        publicUrl,
        await request.session.read(listRanges, spaceOf(request.query), request.query),
      ),
  );

  app.post(
    '/v1/ranges',
    {
      schema: {
        operationId: 'createRange',
        summary: 'Create a range',
        description: 'At `startPort`, or in the lowest free block. A project may have several.',
        tags: ['ranges'],
        headers: IdempotencyHeaders,
        body: Ref(NewRange),
        response: {
          201: answer(Range, 'It belongs to the project now.', LOCATION),
          ...refusals({ body: true }, ...LOCKING, 'range-overlap', 'no-free-block', 'idempotency-key-reused'),
        },
      },
    },
    async (request, reply) => {
      const idempotency = readIdempotencyKey(request, request.body);
      const { range, replayed } = await createRange(request.session, request.body, {
        reuseCooldownSeconds,
        idempotency,
      });
      if (replayed) reply.header('idempotent-replayed', 'true');
      return reply.code(201).header('location', `${publicUrl}/v1/ranges/${range.startPort}`).send(range);
    },
  );

  app.get(
    '/v1/ranges/:startPort',
    {
      schema: {
        operationId: 'getRange',
        summary: 'Read a range',
        description: 'With its counts on one host and protocol.',
        tags: ['ranges'],
        params: RangeParams,
        querystring: SpaceQuery,
        response: { 200: answer(Range, 'The range.'), ...refusals({}, 'range-not-found') },
      },
    },
    (request) => request.session.read(findRange, request.params.startPort, spaceOf(request.query)),
  );

  app.patch(
    '/v1/ranges/:startPort',
    {
      schema: {
        operationId: 'updateRange',
        summary: 'Describe a range, or set its cooldown',
        description: 'What is left out stays as it is. A new cooldown counts for ports released before, too.',
        tags: ['ranges'],
        params: RangeParams,
        body: Ref(RangeChange),
        response: { 200: answer(Range, 'As it is now.'), ...refusals({ body: true }, ...LOCKING, 'range-not-found') },
      },
    },
    (request) => updateRange(request.session, request.params.startPort, request.body),
  );

  app.delete(
    '/v1/ranges/:startPort',
    {
      config: NO_CONTENT,
      schema: {
        operationId: 'deleteRange',
        summary: 'Delete a range',
        description: 'Only when nothing in it is held, on any host and protocol. Its history stays.',
        tags: ['ranges'],
        params: RangeParams,
        response: {
          204: { type: 'null', description: 'It is gone.' },
          ...refusals({}, ...LOCKING, 'range-not-found', 'range-in-use'),
        },
      },
    },
    async (request, reply) => {
      await deleteRange(request.session, request.params.startPort);
      return reply.code(204).send();
    },
  );

  app.get(
    '/v1/projects',
    {
      schema: {
        operationId: 'listProjects',
        summary: 'List projects',
        description: 'By name, each with its summary on one host and protocol.',
        tags: ['projects'],
        querystring: SpacePageQuery,
        response: { 200: answer(ProjectPage, 'A page of them.', LINK), ...refusals({}) },
      },
    },
    async (request, reply) =>
      sendPage(
        request,
        reply,
        publicUrl,
        await request.session.read(listProjects, spaceOf(request.query), request.query),
      ),
  );

  app.put(
    '/v1/projects/:project',
    {
      schema: {
        operationId: 'ensureProject',
        summary: 'Make sure that a project exists',
        description:
          'Gives the project a first range if it has none; the body counts only then. Idempotent, however many callers ' +
          'race. For admins.',
        tags: ['projects'],
        params: ProjectParams,
        body: Ref(NewProject),
        response: {
          200: answer(ProjectSummary, 'It existed already.'),
          201: answer(ProjectSummary, 'It exists now, with the range in `ranges`.', LOCATION),
          ...refusals({ body: true }, ...LOCKING, 'range-overlap', 'no-free-block'),
        },
      },
    },
    async ({ session, params: { project }, body }, reply) => {
      const { summary, created } = await ensureProject(session, { ...body, project }, { reuseCooldownSeconds });
      if (created) reply.code(201).header('location', `${publicUrl}/v1/projects/${project}/summary`);
      return summary;
    },
  );

  app.get(
    '/v1/projects/:project/summary',
    {
      schema: {
        operationId: 'getProjectSummary',
        summary: 'Summarize a project',
        description: 'How full it is on one host and protocol, and the hostnames it claims there.',
        tags: ['projects'],
        params: ProjectParams,
        querystring: SpaceQuery,
        response: { 200: answer(ProjectSummary, 'The summary.'), ...refusals({}, 'project-not-found') },
      },
    },
    (request) => request.session.read(summarizeProject, request.params.project, spaceOf(request.query)),
  );
};
