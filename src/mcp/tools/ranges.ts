import { Type } from '@sinclair/typebox';
import { spaceOf } from '../../keys.js';
import { createRange as insertRange } from '../../registry/ranges.js';
import { findLastAudit } from '../../repositories/audits.js';
import { summarizeProject } from '../../repositories/projects.js';
import { listRanges as findRanges } from '../../repositories/ranges.js';
import type { LastAudit } from '../../schemas/audit.js';
import { NewRange, type ProjectSummary, type Range } from '../../schemas/range.js';
import { answerPage, omitNulls, tellLines, tellSpace } from '../answers.js';
import { findProject } from '../folder.js';
import { brief, CLOSED, omitUndefined, ProjectFields, ShortPage, Space, TOOL_PAGE_BYTES } from '../inputs.js';
import { ADDS, defineTool, idempotencyOf, READS } from '../tool.js';

export const portSummary = defineTool({
  name: 'port-summary',
  description: 'How full a project is, its ranges, its public hostnames, and its last audit.',
  operations: ['getProjectSummary'],
  input: Type.Object({ ...ProjectFields, ...Space }, CLOSED),
  annotations: READS,
  repeatable: 'always',
  async execute({ session, readFolder }, { host, protocol, ...given }) {
    const project = await findProject(given, readFolder);
    const space = spaceOf({ host, protocol });
    const summary = await session.read(summarizeProject, project, space);
    const lastAudit = await session.read(findLastAudit, { project, host: space.host });
    const ranges = summary.ranges.map(omitNulls);
    const content = { ...omitNulls(summary), ranges, ...(lastAudit && { lastAudit: omitNulls(lastAudit) }) };
    return { text: tellLines(tellSummary(summary), tellAudit(lastAudit)), content };
  },
});

function tellSummary(summary: ProjectSummary): string[] {
  const { project, ranges, hostnames } = summary;
  const blocks = ranges.map(({ startPort, endPort }) => `${startPort}-${endPort}`).join(', ');
  return [
    `${project}${tellSpace(summary)}: ${blocks}. ${tellCounts(summary)}`,
    ...hostnames.map(({ port, service, cloudflareHostname }) => `${cloudflareHostname} is ${port} (${service})`),
  ];
}

function tellCounts(counts: Omit<ProjectSummary, 'ranges'> | Range): string {
  const { totalPorts, allocatedPorts, inUsePorts, reservedPorts, availablePorts } = counts;
  const reserved = reservedPorts === 0 ? '' : `${reservedPorts} are reserved, `;
  return (
    `Of ${totalPorts} ports ${allocatedPorts} are held (${inUsePorts} seen listening), ${reserved}` +
    `${availablePorts} are available.`
  );
}

function tellAudit(audit: LastAudit | null): string {
  if (audit === null) return 'Never audited, so whether its services listen was not looked at.';
  const health = audit.health === null ? '' : `, ${audit.health} % of what was probed listens`;
  return `Last audit ${audit.checkedAt}: ${audit.conflicts} differences${health}.`;
}

export const listRanges = defineTool({
  name: 'list-ranges',
  description: 'Which project owns which block of ports, and how full each is.',
  operations: ['listRanges', 'listProjects'],
  input: Type.Object({ ...Space, ...ShortPage }, CLOSED),
  annotations: READS,
  repeatable: 'always',
  async execute({ session }, { limit, cursor, ...space }) {
    const page = { ...omitUndefined({ limit, cursor }), maxBytes: TOOL_PAGE_BYTES };
    const ranges = await session.read(findRanges, spaceOf(space), page);
    return answerPage(ranges, tellRange, 'There is no range that you may see.');
  },
});

const tellRange = (range: Range): string =>
  `${range.startPort}-${range.endPort}  ${range.project}. ${tellCounts(range)}`;

export const createRange = defineTool({
  name: 'create-range',
  description:
    'Gives a project another block of ports: 100, or 1000 of kind shared. Not for a second copy of a stack, which is ' +
    'an environment.',
  operations: ['createRange', 'ensureProject'],
  input: Type.Object(
    {
      project: brief(NewRange.properties.project),
      kind: Type.Optional(brief(NewRange.properties.kind)),
      startPort: Type.Optional(brief(NewRange.properties.startPort, 'A multiple of 100.')),
      description: Type.Optional(brief(NewRange.properties.description)),
    },
    CLOSED,
  ),
  annotations: ADDS,
  repeatable: 'with-key',
  async execute({ session, firstRange }, input, call) {
    const options = { ...firstRange, idempotency: idempotencyOf(call, input) };
    const { range } = await insertRange(session, input as NewRange, options);
    return {
      text: tellLines(`${range.project} has ${range.startPort}-${range.endPort} from now on.`, range.warnings),
      content: omitNulls(range),
    };
  },
});
