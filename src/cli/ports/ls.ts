import type { Command } from 'commander';
import { type Liveness, livenessOf } from '../../client/liveness.js';
import { readAll } from '../../client/pages.js';
import type { Allocation } from '../../schemas/allocation.js';
import type { Audit } from '../../schemas/audit.js';
import { hostOption, protocolOption, type SpaceOptions } from '../arguments.js';
import { type Context, openContext } from '../context.js';
import { findLastAudit } from '../last-audit.js';
import { formatTable } from '../table.js';
import { chooseFilters, type Filters } from './here.js';

const STATUS: Record<Liveness, string> = {
  in_use: 'in use',
  stopped: 'stopped',
  unseen: 'never seen',
  unchecked: 'not checked yet',
  unprobed: 'not probed',
};

export function registerLs(program: Command): void {
  program
    .command('ls')
    .description('lists the ports that are held for this folder')
    .option('--all', 'of every project and environment')
    .addOption(hostOption())
    .addOption(protocolOption())
    .addHelpText('after', '\nExamples:\n  pa ls\n  pa ls --project shop\n  pa ls --all --json')
    .action(async (options: SpaceOptions & { all?: boolean }, command: Command) => {
      const context = openContext(command);
      const filters = await chooseFilters(context, options.all === true);
      const query = { ...filters, host: options.host, protocol: options.protocol };
      const allocations = await readAll<Allocation>(context.connection, '/v1/allocations', query);
      const audit = await findAuditOf(context, allocations, filters);
      context.output.answer(allocations.length === 0 ? '' : formatAllocations(allocations, audit), allocations);
      if (allocations.length === 0) context.output.note(tellEmpty(filters));
    });
}

/** The last audit of these allocations. It is not asked for where nothing depends on it. */
async function findAuditOf(
  { connection, output }: Context,
  allocations: readonly Allocation[],
  { project }: Filters,
): Promise<Audit | null> {
  const depending = allocations.filter((allocation) => livenessOf(allocation, null) === 'unchecked');
  if (depending.length === 0 || output.isJson) return null;
  const hosts = new Set(depending.map(({ host }) => host));
  return findLastAudit(connection, { project, host: hosts.size === 1 ? depending[0]?.host : undefined });
}

function tellEmpty({ project, environment }: Filters): string {
  if (project === undefined) return 'No ports are held. pa port SERVICE gets one.';
  const whom = `${project}${environment === undefined ? '' : ` (environment ${environment})`}`;
  return `No ports are held for ${whom}. pa port SERVICE gets one; pa ls --all lists those of every project.`;
}

/** A table with the columns that tell something: without a project if all are of the same one, for example. */
function formatAllocations(allocations: readonly Allocation[], audit: Audit | null): string {
  const isSame = (column: keyof Allocation, value = allocations[0]?.[column]) =>
    allocations.every((allocation) => allocation[column] === value);
  const columns: (keyof Allocation)[] = ['port', 'service'];
  if (!isSame('project')) columns.splice(1, 0, 'project');
  columns.push('environment');
  if (!isSame('host', 'localhost')) columns.push('host');
  if (!isSame('protocol', 'tcp')) columns.push('protocol');
  columns.push('status');
  return formatTable(
    columns.map((column) => column.toUpperCase()),
    allocations.map((allocation) =>
      columns.map((column) =>
        column === 'status' ? STATUS[livenessOf(allocation, audit)] : (allocation[column] as string),
      ),
    ),
  );
}
