import { type Insertable, type Kysely, sql, type Transaction } from 'kysely';
import type { Access } from '../access/access.js';
import type { PortRangesTable, RangeRow, Tables } from '../database/tables.js';
import { type Space, spaceOf } from '../keys.js';
import { systemPorts } from '../machine/ephemeral-ports.js';
import * as refusals from '../refusals.js';
import { RANGE_SIZE, type Range } from '../schemas/range.js';
import { decodeCursor, isPort, type Page, type PageRequest, toPage } from './pages.js';
import { warningsOf } from './range-warnings.js';
import { visibleTo } from './visible.js';

/** The first and the last port that a range can have. CHECK constraints of the tables say the same. */
export const FIRST_PORT = 3000;
export const LAST_PORT = 64999;

/** All ranges, by start port. Everybody may read whose a range is and how full. */
export async function listRanges(
  db: Kysely<Tables>,
  access: Access,
  space: Space,
  { limit = 100, cursor, maxBytes }: PageRequest,
): Promise<Page<Range>> {
  const after = decodeCursor(cursor, isPort)?.[0] ?? 0;
  const { rows } = await sql<RangeRow & CountsRow>`
    select r.*, c.* from port_ranges r
    join range_counts(${space.host}, ${space.protocol}) c using (start_port)
    where r.start_port > ${after} order by r.start_port limit ${limit + 1}`.execute(db);
  return toPage(
    rows,
    { limit, maxBytes },
    (row) => toVisibleRange(access, row),
    (row) => [row.start_port],
  );
}

/** @throws AppError range-not-found */
export async function findRange(
  db: Kysely<Tables>,
  access: Access,
  startPort: number,
  space = spaceOf({}),
): Promise<Range> {
  const { rows } = await sql<RangeRow & CountsRow>`
    select r.*, c.* from port_ranges r
    join range_counts(${space.host}, ${space.protocol}) c using (start_port)
    where r.start_port = ${startPort}`.execute(db);
  if (!rows[0]) throw refusals.rangeNotFound(startPort);
  return toVisibleRange(access, rows[0]);
}

/** Everybody may read whose a range is and how full, but its description only who may see its project. */
function toVisibleRange(access: Access, row: RangeRow & CountsRow): Range {
  const range = toRange(row);
  return access.sees(range.project) ? range : { ...range, description: null };
}

/** @throws AppError project-not-found where the project has no range; forbidden */
export async function requireRange(db: Kysely<Tables>, access: Access, project: string): Promise<void> {
  access.requireProject(project);
  if (!(await hasRange(db, project))) throw refusals.projectNotFound(project);
}

export async function hasRange(db: Kysely<Tables>, project: string): Promise<boolean> {
  const row = await db.selectFrom('port_ranges').select('start_port').where('project', '=', project).executeTakeFirst();
  return row !== undefined;
}

/** Whose each range is, which everybody may read. */
export function listRangeOwners(db: Kysely<Tables>): Promise<Pick<RangeRow, 'start_port' | 'end_port' | 'project'>[]> {
  return db.selectFrom('port_ranges').select(['start_port', 'end_port', 'project']).execute();
}

/** @throws AppError range-not-found */
export async function findRangeRow(db: Kysely<Tables>, startPort: number): Promise<RangeRow> {
  const row = await db.selectFrom('port_ranges').selectAll().where('start_port', '=', startPort).executeTakeFirst();
  if (!row) throw refusals.rangeNotFound(startPort);
  return row;
}

/** The lowest start port of `size` adjacent ports that are in no range. @throws AppError no-free-block */
export async function findFreeBlock(trx: Transaction<Tables>, size: number): Promise<number> {
  const ranges = await trx.selectFrom('port_ranges').select(['start_port', 'end_port']).orderBy('start_port').execute();
  let start = FIRST_PORT;
  for (const range of ranges) {
    if (start + size <= range.start_port) break;
    start = range.end_port + 1;
  }
  if (start + size - 1 > LAST_PORT) throw refusals.noFreeBlock(size, FIRST_PORT, LAST_PORT);
  return start;
}

/** @throws AppError range-overlap; validation-failed where ranges cannot lie */
export async function requireFreeBlock(trx: Transaction<Tables>, startPort: number, endPort: number): Promise<void> {
  if (endPort > LAST_PORT) throw refusals.rangeEndsTooHigh(endPort, LAST_PORT);
  const overlapping = await trx
    .selectFrom('port_ranges')
    .select(['start_port', 'end_port', 'project'])
    .where('start_port', '<=', endPort)
    .where('end_port', '>=', startPort)
    .orderBy('start_port')
    .execute();
  if (overlapping.length > 0) throw refusals.rangeOverlap(startPort, endPort, overlapping);
}

export async function insertRange(trx: Transaction<Tables>, row: Insertable<PortRangesTable>): Promise<void> {
  await trx.insertInto('port_ranges').values(row).execute();
}

export async function updateRangeRow(
  trx: Transaction<Tables>,
  startPort: number,
  change: Pick<RangeRow, 'description' | 'reuse_cooldown_seconds'>,
): Promise<void> {
  await trx.updateTable('port_ranges').set(change).where('start_port', '=', startPort).execute();
}

export async function deleteRangeRow(trx: Transaction<Tables>, startPort: number): Promise<void> {
  await trx.deleteFrom('port_ranges').where('start_port', '=', startPort).execute();
}

/** How many ports of a range are allocated and reserved, on all hosts and protocols. */
export async function countTaken(
  trx: Transaction<Tables>,
  { start_port, end_port }: RangeRow,
): Promise<{ allocated: number; reserved: number }> {
  const { rows } = await sql<{ allocated: number; reserved: number }>`
    select
      (select count(*)::integer from port_allocations
       where released_at is null and port between ${start_port} and ${end_port}) as allocated,
      (select count(*)::integer from port_reservations
       where status = 'active' and expires_at > clock_timestamp()
         and port between ${start_port} and ${end_port}) as reserved`.execute(trx);
  return rows[0] ?? { allocated: 0, reserved: 0 };
}

/** The smallest block that a range around the port would take; null where ranges cannot lie. */
export function blockAround(port: number): { startPort: number; endPort: number } | null {
  const startPort = port - (port % RANGE_SIZE.project);
  const endPort = startPort + RANGE_SIZE.project - 1;
  return startPort < FIRST_PORT || endPort > LAST_PORT ? null : { startPort, endPort };
}

/**
 * Locks all ranges of every project that covers one of the ports and that the caller sees, in the order of their start
 * ports, as every allocation does.
 */
export function lockRangesAround(trx: Transaction<Tables>, access: Access, ports: number[]) {
  return trx
    .selectFrom('port_ranges')
    .select(['start_port', 'end_port', 'reuse_cooldown_seconds', 'project'])
    .where('project', 'in', (covering) =>
      covering
        .selectFrom('port_ranges as covering')
        .select('covering.project')
        .innerJoin(sql<{ port: number }>`unnest(${ports}::integer[])`.as<'asked'>(sql`asked (port)`), (join) =>
          join.on(sql<boolean>`asked.port between covering.start_port and covering.end_port`),
        ),
    )
    .where(visibleTo(access))
    .orderBy('start_port')
    .forUpdate('port_ranges')
    .execute();
}

/** The project whose range covers each of the ports, for those that the caller may not see. */
export async function findForeignOwners(
  trx: Transaction<Tables>,
  access: Access,
  ports: number[],
): Promise<Map<number, string>> {
  if (access.projects === null) return new Map();
  const { rows } = await sql<{ port: number; project: string }>`
    select asked.port, r.project
    from unnest(${ports}::integer[]) asked (port)
    join port_ranges r on asked.port between r.start_port and r.end_port
    where not (${visibleTo(access, 'r.project')})`.execute(trx);
  return new Map(rows.map(({ port, project }) => [port, project]));
}

/** What `range_counts()` answers; `utilization` is NUMERIC, which pg hands over as text. */
export interface CountsRow {
  total_ports: number;
  allocated_ports: number;
  in_use_ports: number;
  reserved_ports: number;
  cooling_ports: number;
  excluded_ports: number;
  available_ports: number;
  utilization: string;
}

export function toRange(row: RangeRow & CountsRow): Range {
  return {
    startPort: row.start_port,
    endPort: row.end_port,
    project: row.project,
    kind: row.kind,
    description: row.description,
    reuseCooldownSeconds: row.reuse_cooldown_seconds,
    totalPorts: row.total_ports,
    allocatedPorts: row.allocated_ports,
    inUsePorts: row.in_use_ports,
    reservedPorts: row.reserved_ports,
    coolingPorts: row.cooling_ports,
    excludedPorts: row.excluded_ports,
    availablePorts: row.available_ports,
    utilization: Number(row.utilization),
    createdAt: row.created_at.toISOString(),
    warnings: warningsOf({ start: row.start_port, end: row.end_port }, systemPorts()),
  };
}
