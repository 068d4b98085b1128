import { type Kysely, type RawBuilder, type Selectable, sql } from 'kysely';
import type { Access } from '../../access/access.js';
import type { PortAllocationsTable, Tables } from '../../database/tables.js';
import type { Space } from '../../keys.js';
import type { PortHistoryItem } from '../../schemas/port.js';
import { decodeCursor, isTime, isUuid, type Page, type PageRequest, toPage } from '../pages.js';
import { visibleTo } from '../visible.js';

type HistoryRow = Pick<
  Selectable<PortAllocationsTable>,
  'id' | 'project' | 'service' | 'environment' | 'allocated_at' | 'released_at' | 'allocated_by' | 'released_by'
>;

/** Stands in a cursor for the time of release of what is still held. */
const HELD = '';
const isReleasedAt = (part: unknown): part is string => part === HELD || isTime(part);

/**
 * Who held a port, the newest first: who has it, and then by the time of release. What was held for projects that the
 * caller may not see is left out.
 *
 * One statement reads both, so that a port that is released meanwhile is neither missing nor there twice. It could be
 * there twice on two pages, if the first one ended with it, so the second page leaves its id out.
 */
export async function listPortHistory(
  db: Kysely<Tables>,
  access: Access,
  port: number,
  space: Space,
  { limit = 100, cursor, maxBytes }: PageRequest,
): Promise<Page<PortHistoryItem>> {
  const after = decodeCursor(cursor, isReleasedAt, isTime, isUuid);
  const { rows } = await sql<HistoryRow>`
    select * from (${after === null ? ofPort(access, port, space, sql`released_at is null`) : NOTHING}) held
    union all
    select * from (
      ${ofPort(access, port, space, sql`released_at is not null and ${isBehind(after)}`)}
      order by released_at desc, allocated_at desc, id desc
      limit ${limit + 1}
    ) released
    limit ${limit + 1}`.execute(db);
  return toPage(rows, { limit, maxBytes }, toItem, ({ released_at, allocated_at, id }) => [
    released_at?.toISOString() ?? HELD,
    allocated_at.toISOString(),
    id,
  ]);
}

const columns = sql`id, project, service, environment, allocated_at, released_at, allocated_by, released_by`;
const NOTHING = sql`select ${columns} from port_allocations where false`;

function ofPort(access: Access, port: number, { host, protocol }: Space, condition: RawBuilder<unknown>) {
  return sql`
    select ${columns} from port_allocations
    where port = ${port} and host = ${host} and protocol = ${protocol} and ${condition} and ${visibleTo(access)}`;
}

function isBehind(after: [releasedAt: string, allocatedAt: string, id: string] | null): RawBuilder<unknown> {
  if (after === null) return sql`true`;
  const [releasedAt, allocatedAt, id] = after;
  if (releasedAt === HELD) return sql`id <> ${id}::uuid`;
  return sql`(released_at, allocated_at, id) < (${releasedAt}::timestamptz, ${allocatedAt}::timestamptz, ${id}::uuid)`;
}

function toItem(row: HistoryRow): PortHistoryItem {
  return {
    allocationId: row.id,
    project: row.project,
    service: row.service,
    environment: row.environment,
    allocatedAt: row.allocated_at.toISOString(),
    releasedAt: row.released_at?.toISOString() ?? null,
    allocatedBy: row.allocated_by,
    releasedBy: row.released_by,
  };
}
