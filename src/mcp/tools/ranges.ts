import { Type } from '@sinclair/typebox';
import { spaceOf } from '../../keys.js';
import { createRange as insertRange } from '../../registry/ranges.js';
import { findLastAudit } from '../../repositories/audits.js';
import { summarizeProject } from '../../repositories/projects.js';
import { listRanges as findRanges } from '../../repositories/ranges.js';
import { LastAudit } from '../../schemas/audit.js';
import { ProjectName, SpaceQuery } from '../../schemas/common.js';
import { NewRange, ProjectSummary, Range, RangePage } from '../../schemas/range.js';
import { ShortPage, TOOL_PAGE_BYTES } from '../inputs.js';
import { defineTool, idempotencyOf, READS } from '../tool.js';

const CLOSED = { additionalProperties: false };

export const portSummary = defineTool({
  name: 'port-summary',
  title: 'Summarize a project',
  description:
    'How full one project is on one host and protocol: its ranges, its counts, the public hostnames of its ports, and ' +
    'the last audit; while that is null, `inUsePorts` was not checked yet. Use it to tell whether there is room; for the ports themselves use list-ports.',
  operations: ['getProjectSummary'],
  input: Type.Object({ project: ProjectName, ...SpaceQuery.properties }, CLOSED),
  output: Type.Object({
    ...ProjectSummary.properties,
    lastAudit: Type.Unsafe<LastAudit | null>(Type.Union([LastAudit, Type.Null()])),
  }),
  annotations: READS,
  repeatable: 'always',
  async execute({ session }, input) {
    const space = spaceOf(input);
    const summary = await session.read(summarizeProject, input.project, space);
    return { ...summary, lastAudit: await session.read(findLastAudit, { project: input.project, host: space.host }) };
  },
});

export const listRanges = defineTool({
  name: 'list-ranges',
  title: 'List ranges',
  description:
    'Which project owns which block of ports, and how full each is. Use it to learn the names of projects, or before ' +
    'create-range. Ordered by start port. Shows 25 unless `limit` says otherwise; where `nextCursor` is not null there ' +
    'are more: call again with it as `cursor`.',
  operations: ['listRanges', 'listProjects'],
  input: Type.Object({ ...SpaceQuery.properties, ...ShortPage }, CLOSED),
  output: RangePage,
  annotations: READS,
  repeatable: 'always',
  execute: ({ session }, input) => session.read(findRanges, spaceOf(input), { ...input, maxBytes: TOOL_PAGE_BYTES }),
});

export const createRange = defineTool({
  name: 'create-range',
  title: 'Give a project a range',
  description:
    'Gives a project a block of ports of its own: 100, or 1000 with kind `shared`. Use it for a project that has no ' +
    'range yet, or whose ranges are exhausted; not for a second copy of a stack, which is an `environment` of the same ' +
    'project. Leave `startPort` out to get the lowest free block. Calling it twice gives two ranges.',
  operations: ['createRange', 'ensureProject'],
  input: Type.Object(NewRange.properties, CLOSED),
  output: Range,
  annotations: { readOnlyHint: false, destructiveHint: false, idempotentHint: false, openWorldHint: false },
  repeatable: 'with-key',
  async execute({ session, reuseCooldownSeconds }, input, call) {
    const options = { reuseCooldownSeconds, idempotency: idempotencyOf(call, input) };
    return (await insertRange(session, input, options)).range;
  },
});
