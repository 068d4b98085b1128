import { Type } from '@sinclair/typebox';
import { importPorts as adopt } from '../../repositories/imports.js';
import { Audit, AuditScope } from '../../schemas/audit.js';
import { Import, ImportQuery, NewImport } from '../../schemas/import.js';
import { toImportItems } from '../../services/listening-ports.js';
import { claimOf, defineTool } from '../tool.js';

const CLOSED = { additionalProperties: false };

export const auditPorts = defineTool({
  name: 'audit-ports',
  title: 'Compare the registry with what listens',
  description:
    'Probes the TCP ports that are held, of one `project` or one `host` or all, and tells each difference and its ' +
    'remedy: services that do not run, strangers on ports (with `unallocated`), hostnames claimed twice. Use it when a ' +
    'port seems taken or a service seems down. It connects and closes, and sends nothing. For who owns one number use ' +
    'describe-port.',
  operations: ['auditPorts'],
  input: Type.Object(AuditScope.properties, CLOSED),
  output: Audit,
  // It stores what it found, and moves the status of allocations; repeating it changes nothing more.
  annotations: { readOnlyHint: false, destructiveHint: false, idempotentHint: true, openWorldHint: false },
  repeatable: 'always',
  execute: ({ store, auditor }, scope, { signal }) => auditor.run(store, scope, { signal }),
});

export const importPorts = defineTool({
  name: 'import-ports',
  title: 'Adopt ports that are in use',
  description:
    'Registers ports that services use already, each for the project whose range covers it, and tells what became of ' +
    'each: use it when moving a machine to the registry, first with `dryRun`. For a new service use get-port.',
  operations: ['importPorts'],
  input: Type.Object({ ...NewImport.properties, ...ImportQuery.properties }, CLOSED),
  output: Import,
  annotations: { readOnlyHint: false, destructiveHint: false, idempotentHint: true, openWorldHint: false },
  repeatable: 'always',
  async execute({ store }, input, call) {
    const { dryRun = false, items } = input;
    return (await adopt(store, toImportItems({ items }), { dryRun, idempotency: claimOf(call, input) })).report;
  },
});
