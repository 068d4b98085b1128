import { Type } from '@sinclair/typebox';
import { importPorts as adopt } from '../../registry/imports.js';
import { findRecentAudit } from '../../repositories/audits.js';
import { Audit, AuditScope, conflictKinds } from '../../schemas/audit.js';
import { Count } from '../../schemas/common.js';
import { Import, ImportQuery, NewImport } from '../../schemas/import.js';
import { toImportItems } from '../../services/import-text/listening-ports.js';
import { defineTool, idempotencyOf } from '../tool.js';

const CLOSED = { additionalProperties: false };

type ConflictKind = (typeof conflictKinds)[number];

const ConflictLimit = Type.Optional(
  Type.Integer({ minimum: 1, maximum: 1000, default: 25, description: 'Conflicts to show.' }),
);
const MaxAge = Type.Optional(
  Type.Integer({
    minimum: 0,
    maximum: 31_536_000,
    description: 'Answer the last audit of this scope instead, if it is not older.',
  }),
);
/**
 * The result of an audit with only the first conflicts. An audit of a machine that is down finds a conflict on every
 * port; a thousand of them are 723 kB.
 */
const ShortAudit = Type.Object({
  ...Audit.properties,
  conflictCounts: Type.Object(
    Object.fromEntries(conflictKinds.map((kind) => [kind, Count])) as Record<ConflictKind, typeof Count>,
    { description: 'How many there are of each kind, those that are not shown included.' },
  ),
});

export const auditPorts = defineTool({
  name: 'audit-ports',
  title: 'Compare the registry with what listens',
  description:
    'Probes the TCP ports that are held, of one `project` or one `host` or all, and reports each difference and its ' +
    'remedy: services that do not run, processes on ports that nobody holds (with `unallocated`), hostnames that ' +
    'several allocations have. Use it when a ' +
    'port seems taken or a service seems down. It connects and closes, and sends nothing. Shows the first 25 ' +
    'conflicts, by port; `conflictCounts` has how many there are of each kind. For more raise `limit`, or audit one ' +
    '`project` or `host`. For who owns one number use describe-port.',
  operations: ['auditPorts'],
  input: Type.Object({ ...AuditScope.properties, maxAgeSeconds: MaxAge, limit: ConflictLimit }, CLOSED),
  output: ShortAudit,
  // Not read-only, because it stores what it found and updates the status of allocations.
  annotations: { readOnlyHint: false, destructiveHint: false, idempotentHint: true, openWorldHint: false },
  repeatable: 'always',
  async execute({ session, auditor }, { limit = 25, maxAgeSeconds = 0, ...scope }, { signal }) {
    const recent = maxAgeSeconds > 0 ? await session.readLarge(findRecentAudit, scope, maxAgeSeconds) : null;
    const { conflicts, ...audit } = recent ?? (await auditor.run(session, scope, { signal }));
    const conflictCounts = Object.fromEntries(
      conflictKinds.map((kind) => [kind, conflicts.filter((conflict) => conflict.kind === kind).length]),
    ) as Record<ConflictKind, number>;
    return { ...audit, conflictCounts, conflicts: conflicts.slice(0, limit) };
  },
});

export const importPorts = defineTool({
  name: 'import-ports',
  title: 'Adopt ports that are in use',
  description:
    'Registers ports that services use already, each for the project whose range covers it, and reports what ' +
    'became of each: use it when moving a machine to the registry, first with `dryRun`. For a new service use get-port.',
  operations: ['importPorts'],
  input: Type.Object({ ...NewImport.properties, ...ImportQuery.properties }, CLOSED),
  output: Import,
  annotations: { readOnlyHint: false, destructiveHint: false, idempotentHint: true, openWorldHint: false },
  repeatable: 'always',
  async execute({ session }, input, call) {
    const { dryRun = false, items } = input;
    const options = { dryRun, idempotency: idempotencyOf(call, input) };
    return (await adopt(session, toImportItems({ items }, {}), options)).report;
  },
});
