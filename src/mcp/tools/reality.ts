import { Type } from '@sinclair/typebox';
import { importPorts as adopt } from '../../registry/imports.js';
import { findRecentAudit } from '../../repositories/audits.js';
import { type Audit, type AuditConflict, AuditScope } from '../../schemas/audit.js';
import { ImportQuery, MAX_IMPORT_ITEMS, PortToImport } from '../../schemas/import.js';
import { toImportItems } from '../../services/import-text/listening-ports.js';
import { omitNulls, tellLines } from '../answers.js';
import { findProject } from '../folder.js';
import { brief, CLOSED, HostToFind, omitUndefined, ProjectFields, Space } from '../inputs.js';
import { defineTool, ENSURES, idempotencyOf } from '../tool.js';

export const auditPorts = defineTool({
  name: 'audit-ports',
  description:
    'Which services are down: probes now all ports that are held (of a project, or of all), and tells what differs and ' +
    'its remedy: services that do not listen, strangers on their ports. Connects and sends nothing.',
  operations: ['auditPorts'],
  input: Type.Object(
    {
      ...ProjectFields,
      host: HostToFind,
      unallocated: Type.Optional(
        brief(AuditScope.properties.unallocated, 'Also processes on ports that nobody holds.'),
      ),
      maxAgeSeconds: Type.Optional(
        Type.Integer({ minimum: 0, maximum: 31_536_000, description: 'Answer the last audit if it is not older.' }),
      ),
      limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000, default: 25, description: 'Conflicts to show.' })),
    },
    CLOSED,
  ),
  // Not read-only, because it stores what it found and updates the status of allocations.
  annotations: ENSURES,
  repeatable: 'always',
  async execute(context, { limit = 25, maxAgeSeconds = 0, cwd, ...given }, { signal }) {
    const { session, auditor, readFolder } = context;
    const project = cwd === undefined ? given.project : await findProject({ project: given.project, cwd }, readFolder);
    const scope = omitUndefined({ ...given, project });
    const recent = maxAgeSeconds > 0 ? await session.readLarge(findRecentAudit, scope, maxAgeSeconds) : null;
    const { conflicts, ...audit } = recent ?? (await auditor.run(session, scope, { signal }));
    const shown = conflicts.slice(0, limit);
    const conflictCounts: Record<string, number> = {};
    for (const { kind } of conflicts) conflictCounts[kind] = (conflictCounts[kind] ?? 0) + 1;
    const counted = Object.entries(conflictCounts).map(([kind, count]) => `${count} ${kind}`);
    return {
      text: tellLines(
        tellAudit(audit),
        conflicts.length === 0 ? 'Registry and reality agree.' : `Differences: ${counted.join(', ')}.`,
        shown.map(tellConflict),
        shown.length < conflicts.length
          ? `${conflicts.length - shown.length} more: raise limit${scope.project ? '' : ', or name a project'}.`
          : '',
      ),
      content: { ...omitNulls(audit), conflictCounts, conflicts: shown.map(giveConflict) },
    };
  },
});

/** The kinds whose `detail` does not name the process that was found. */
const WITH_PROCESS: readonly AuditConflict['kind'][] = ['squatter', 'reserved-in-use'];

const tellConflict = ({ port, kind, detail, actual }: AuditConflict): string =>
  `${port ?? 'all'}  ${detail}${WITH_PROCESS.includes(kind) ? ` Found: ${actual}.` : ''}`;

/** Without what `detail` says too. */
const giveConflict = ({ expected: _, actual, ...conflict }: AuditConflict) => ({
  ...omitNulls(conflict),
  ...(WITH_PROCESS.includes(conflict.kind) && { actual }),
});

function tellAudit({ allocated, inUse, notRunning, checkedAt }: Omit<Audit, 'conflicts'>): string {
  return `${checkedAt}: ${allocated} ports are held, ${inUse} listen, ${notRunning} do not.`;
}

export const importPorts = defineTool({
  name: 'import-ports',
  description:
    'Registers ports that services use already, each for the project whose range covers it, and tells what became of ' +
    'each: first with dryRun.',
  operations: ['importPorts'],
  input: Type.Object(
    {
      items: Type.Array(
        Type.Object(
          {
            port: brief(PortToImport.properties.port),
            service: Type.Optional(brief(PortToImport.properties.service)),
            environment: Type.Optional(brief(PortToImport.properties.environment)),
            ...Space,
          },
          CLOSED,
        ),
        { minItems: 1, maxItems: MAX_IMPORT_ITEMS },
      ),
      dryRun: Type.Optional(brief(ImportQuery.properties.dryRun)),
    },
    CLOSED,
  ),
  annotations: ENSURES,
  repeatable: 'always',
  async execute({ session }, input, call) {
    const { dryRun = false, items } = input;
    const options = { dryRun, idempotency: idempotencyOf(call, input) };
    const { report } = await adopt(session, toImportItems({ items }, {}), options);
    return {
      text: tellLines(
        dryRun ? 'Nothing was changed. It would be:' : '',
        report.items.map(({ port, outcome, detail }) => `${port ?? '?'}  ${outcome}: ${detail}`),
      ),
      content: { ...report, items: report.items.map(({ allocation: _, ...item }) => omitNulls(item)) },
    };
  },
});
