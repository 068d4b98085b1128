import { Type } from '@sinclair/typebox';
import { importPorts as adopt } from '../../registry/imports.js';
import { findRecentAudit } from '../../repositories/audits.js';
import { type Audit, AuditScope } from '../../schemas/audit.js';
import { ImportQuery, MAX_IMPORT_ITEMS, PortToImport } from '../../schemas/import.js';
import { toImportItems } from '../../services/import-text/listening-ports.js';
import { present, tellLines } from '../answers/allocations.js';
import { brief, HostToFind, Place, Space } from '../inputs.js';
import { defineTool, ENSURES, idempotencyOf } from '../tool.js';

const CLOSED = { additionalProperties: false };

export const auditPorts = defineTool({
  name: 'audit-ports',
  description:
    'Probes the ports that are held, and tells what differs and its remedy: services that do not run, strangers on ' +
    'their ports, and with unallocated processes on ports that nobody holds. Connects and sends nothing.',
  operations: ['auditPorts'],
  input: Type.Object(
    {
      project: Place.project,
      host: HostToFind,
      unallocated: Type.Optional(brief(AuditScope.properties.unallocated)),
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
  async execute({ session, auditor }, { limit = 25, maxAgeSeconds = 0, ...scope }, { signal }) {
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
        shown.map(({ port, detail }) => `${port ?? 'all'}  ${detail}`),
        shown.length < conflicts.length
          ? `${conflicts.length - shown.length} more: raise limit, or name a project.`
          : '',
      ),
      content: { ...present(audit), conflictCounts, conflicts: shown.map(present) },
    };
  },
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
      content: { ...report, items: report.items.map(({ allocation: _, ...item }) => present(item)) },
    };
  },
});
