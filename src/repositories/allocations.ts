import { type Expression, type Kysely, type RawBuilder, type Selectable, sql } from 'kysely';
import type { Access } from '../access/access.js';
import { statementTime } from '../database/clock.js';
import { executePrepared, textArray } from '../database/statements.js';
import type { AllocationRow, PortAllocationsTable, Tables } from '../database/tables.js';
import type { AllocationKey, EnvironmentKey, Space } from '../keys.js';
import type { Allocation, AllocationQuery } from '../schemas/allocation.js';
import { cursorAfter, decodeCursor, isPort, isUuid, PAGE_BYTES, type Page, type PageRequest } from './pages.js';
import { coolingDown } from './reports/cooling.js';
import { heldAt } from './reports/held-at.js';
import { visibleTo } from './visible.js';

/**
 * Named one by one: a statement that stays prepared fails for good on its connection when `*` comes to mean one column
 * more, as after the migration of a newer replica.
 */
const columnNames = [
  'id',
  'port',
  'project',
  'service',
  'environment',
  'host',
  'protocol',
  'status',
  'service_type',
  'description',
  'cloudflare_hostname',
  'hostname_withheld_at',
  'metadata',
  'allocated_at',
  'last_used_at',
  'released_at',
  'updated_at',
] satisfies (keyof AllocationRow)[];
const columns = sql`${sql.join(columnNames.map((column) => sql.ref(`a.${column}`)))},
    (select e.port from excluded_ports e where e.port = a.port) is not null as is_excluded`;

/** The same rows, all of them with null for their metadata. */
export function leaveOutMetadata(rows: RawBuilder<unknown>): RawBuilder<unknown> {
  const others = columnNames.filter((column) => column !== 'metadata').map((column) => sql.ref(`a.${column}`));
  return sql`select ${sql.join(others)}, null as metadata from (${rows}) a`;
}

/** What is on record of an environment; all null if nothing is. */
export interface RecordRow {
  path: string | null;
  expires_after_seconds: number | null;
  on_expiry: 'tell' | 'release' | null;
  expires_at: Date | null;
  /** Whether it can expire and its last recorded use is so long ago that another one has to be recorded. */
  is_use_due: boolean | null;
}

/** `RecordRow` is left out unless it was asked for, and of all keys but the first. */
type HeldRow = AllocationRow & Partial<RecordRow>;

// A use is recorded at most once an hour, or every 24th part of a time that is shorter than a day, so that asking for
// ports that are held usually writes nothing.
const recordOfFirst = sql`
    left join lateral (
      select e.path, e.expires_after_seconds, e.on_expiry, environment_expires_at(e) as expires_at,
             e.used_at <= ${statementTime} - least(interval '1 hour', make_interval(secs => e.expires_after_seconds / 24.0)) as is_use_due
      from environments e
      where k.place = 1 and e.project = k.project and e.environment = k.environment offset 0
    ) e on true`;
const recordColumns = sql`, e.path, e.expires_after_seconds, e.on_expiry, e.expires_at, e.is_use_due`;

/**
 * The allocation of the lowest port that each key holds, in the order given; null for a key that holds none. One query
 * for any number of keys. `offset 0` leaves the search no index but that of keys: without statistics PostgreSQL finds
 * the index of ports just as good, and by that one it reads everything that a host holds.
 * @param withRecord also reads what is on record of the first key's environment, in the same statement: if it were read
 * by another one, the environment could have been released and taken by another folder in between
 */
export async function findLowestHeld(
  db: Kysely<Tables>,
  keys: readonly AllocationKey[],
  withRecord = false,
): Promise<(HeldRow | null)[]> {
  const { rows } = await executePrepared(
    db,
    sql<HeldRow & { place: string }>`
    select k.place, ${columns}${withRecord ? recordColumns : sql``}
    from rows from (
      jsonb_to_recordset(${JSON.stringify(keys)}::jsonb)
        as (project text, service text, environment text, host text, protocol text)
    ) with ordinality as k (project, service, environment, host, protocol, place)
    cross join lateral (
      select * from (
        select * from port_allocations a
        where a.released_at is null and a.project = k.project and a.service = k.service
          and a.environment = k.environment offset 0
      ) a
      where a.host = k.host and a.protocol = k.protocol order by a.port limit 1
    ) a${withRecord ? recordOfFirst : sql``}`,
  );
  return inOrder<HeldRow>(keys.length, rows);
}

/**
 * The allocation of each id, active or released, in the order given; null for an id that names nothing. One query for
 * any number. Its plan is kept, so its shape leaves PostgreSQL no choice but the index, also when it plans on an empty
 * table.
 */
export async function findAllocationsById(
  db: Kysely<Tables>,
  ids: readonly string[],
): Promise<(AllocationRow | null)[]> {
  const { rows } = await executePrepared(
    db,
    sql<AllocationRow & { place: string }>`
    select wanted.place, ${columns}
    from jsonb_array_elements_text(${JSON.stringify(ids)}::jsonb) with ordinality wanted (id, place)
    cross join lateral (select * from port_allocations a where a.id = wanted.id::uuid limit 1) a`,
  );
  return inOrder<AllocationRow>(ids.length, rows);
}

function inOrder<Row>(length: number, rows: (Row & { place: string })[]): (Row | null)[] {
  const found: (Row | null)[] = Array.from({ length }, () => null);
  for (const row of rows) found[Number(row.place) - 1] = row;
  return found;
}

/**
 * By port, then id; the active ones unless a status or a moment is asked for. Metadata can have 16 KiB, so rows beyond `maxBytes`
 * are left out in SQL and never reach this process. `json_bytes` says how large each is without reading its metadata.
 */
export async function listAllocations(
  db: Kysely<Tables>,
  access: Access,
  query: AllocationQuery & PageRequest,
): Promise<Page<Allocation>> {
  const { status, at, limit = 100, cursor, maxBytes = PAGE_BYTES } = query;
  const after = decodeCursor(cursor, isPort, isUuid);
  const bounds = { first: query.port ?? after?.[0] ?? 0, last: query.port ?? 65_535 };
  const every = sql<Selectable<PortAllocationsTable>>`port_allocations`;
  const table =
    at !== undefined ? heldAt(at, bounds) : status === 'cooling' ? coolingDown({ ...query, ...bounds }) : every;
  const { project, service, environment, host, protocol, port, cloudflareHostname } = query;
  const wanted = { project, service, environment, host, protocol, port, cloudflare_hostname: cloudflareHostname };
  const equalities = Object.fromEntries(Object.entries(wanted).filter(([, value]) => value !== undefined));
  const asked = db
    .selectFrom(table.as('a'))
    .selectAll()
    .where(visibleTo(access))
    .$if(status === undefined && at === undefined, (q) => q.where('released_at', 'is', null))
    .$if(status === 'released', (q) => q.where('released_at', 'is not', null))
    .$if(status === 'allocated' || status === 'in_use', (q) =>
      q.where('released_at', 'is', null).where('status', '=', status as 'allocated' | 'in_use'),
    )
    .where((eb) => eb.and(equalities))
    .$if(after !== null, (q) => q.where(sql<boolean>`(port, id) > (${after?.[0]}::integer, ${after?.[1]}::uuid)`))
    .orderBy('port')
    .orderBy('id')
    .limit(limit + 1); // the one more shows that there is a next page
  const { rows } = await sql<PageRow>`${upToBytes(asked, maxBytes)} limit ${limit}`.execute(db);
  const last = rows.at(-1);
  return {
    items: rows.map(toAllocation),
    nextCursor: cursorAfter(last, last?.has_next ?? false, ({ port, id }) => [port, id]),
  };
}

/** Smaller than a page of a list, because many readers of an environment may be slow and have a page or two each. */
const HELD_PAGE_BYTES = 256 * 1024;

type PageRow = AllocationRow & { has_next: boolean };

/** The first of these rows by port and id, up to the one that crosses `maxBytes`; each says whether another follows. */
function upToBytes(asked: Expression<unknown>, maxBytes: number): RawBuilder<PageRow> {
  return sql`
    select ${columns}, has_next from (
      select asked.*, sum(json_bytes) over (order by port, id) - json_bytes as bytes_before,
             lead(id) over (order by port, id) is not null as has_next
      from ${asked} asked
    ) a
    where bytes_before < ${maxBytes} order by port, id`;
}

/**
 * Some of the active allocations of an environment in one port space, by port: those behind the port `after`, as many
 * as have about `HELD_PAGE_BYTES`.
 */
export async function findHeldInEnvironment(
  db: Kysely<Tables>,
  access: Access,
  { project, ...environment }: EnvironmentKey,
  after: number,
): Promise<{ allocations: Allocation[]; hasNext: boolean }> {
  access.requireProject(project);
  const held = allocationsWanted(project, { keys: [], ids: [], environments: [environment], ports: [] });
  const behind = sql`(select * from (${held}) held where port > ${after})`;
  const { rows } = await upToBytes(behind, HELD_PAGE_BYTES).execute(db);
  return { allocations: rows.map(toAllocation), hasNext: rows.at(-1)?.has_next ?? false };
}

export interface Wanted {
  keys: AllocationKey[];
  ids: string[];
  environments: (Partial<Space> & { environment: string })[];
  ports: (Space & { port: number })[];
}

/**
 * The query for a project's active allocations of the keys, environments and ports, and those of the ids, active or
 * not; null where nothing is wanted. What is wanted goes along as JSON and each thing once, so that thousands of keys
 * are one parameter, and give no more rows than there are.
 */
export function allocationsWanted(
  project: string,
  { keys, ids, environments, ports }: Wanted,
): RawBuilder<unknown> | null {
  const parts: RawBuilder<unknown>[] = [];
  // `offset 0` keeps each search inside its loop and to the index meant for it, so that no plan, whatever the
  // statistics, reads what other projects hold.
  const active = (condition: RawBuilder<unknown>) => sql`cross join lateral (
    select * from port_allocations a
    where a.released_at is null and a.project = ${project} and ${condition} offset 0) a`;
  if (keys.length > 0) {
    parts.push(sql`select a.* from (select distinct * from jsonb_to_recordset(${JSON.stringify(keys)}::jsonb)
      as k (service text, environment text, host text, protocol text)) k
      ${active(sql`a.service = k.service and a.environment = k.environment`)}
      where a.host = k.host and a.protocol = k.protocol`);
  }
  const inSpaces = environments.filter(({ host, protocol }) => host !== undefined && protocol !== undefined);
  const everywhere = environments.filter((one) => !inSpaces.includes(one)).map(({ environment }) => environment);
  if (inSpaces.length > 0) {
    parts.push(sql`select a.* from (select distinct * from jsonb_to_recordset(${JSON.stringify(inSpaces)}::jsonb)
      as k (environment text, host text, protocol text)) k
      join port_ranges r on r.project = ${project}
      ${active(sql`a.environment = k.environment and a.host = k.host and a.protocol = k.protocol
        and a.port between r.start_port and r.end_port`)}`);
  }
  if (everywhere.length > 0) {
    // The project is a column of `k` for the reason that environmentsOf gives (../allocator/environments.ts).
    parts.push(sql`select a.* from (
        select distinct ${project}::text as project, unnest(${textArray(everywhere)}::text[]) as environment
      ) k
      cross join lateral (
        select * from port_allocations a
        where a.released_at is null and a.project = k.project and a.environment = k.environment offset 0) a`);
  }
  if (ports.length > 0) {
    parts.push(sql`select a.* from (select distinct * from jsonb_to_recordset(${JSON.stringify(ports)}::jsonb)
      as k (host text, protocol text, port integer)) k
      ${active(sql`a.host = k.host and a.protocol = k.protocol and a.port = k.port`)}`);
  }
  if (ids.length > 0) {
    parts.push(sql`select a.* from port_allocations a
      where a.id = any(${textArray(ids)}::uuid[]) and a.project = ${project}`);
  }
  return parts.length === 0 ? null : sql.join(parts, sql` union `);
}

export function toAllocation(row: AllocationRow): Allocation {
  return {
    id: row.id,
    port: row.port,
    project: row.project,
    service: row.service,
    environment: row.environment,
    host: row.host,
    protocol: row.protocol,
    status: row.status,
    serviceType: row.service_type,
    description: row.description,
    cloudflareHostname: row.cloudflare_hostname,
    metadata: row.metadata,
    allocatedAt: row.allocated_at.toISOString(),
    lastUsedAt: row.last_used_at?.toISOString() ?? null,
    releasedAt: row.released_at?.toISOString() ?? null,
    updatedAt: row.updated_at.toISOString(),
    ...warningsOf(row),
  };
}

function warningsOf(row: AllocationRow): Pick<Allocation, 'warnings'> {
  const warnings = [
    ...(isWithheld(row) ? [describeWithheld(row)] : []),
    ...(row.is_excluded && row.released_at === null ? [describeExcluded(row)] : []),
  ];
  return warnings.length > 0 ? { warnings } : {};
}

/** The reason is not told: allocating reads which ports are excluded, and not why. `GET /v1/ports/{port}` tells it. */
const describeExcluded = ({ port }: AllocationRow): string =>
  `Port ${port} is excluded: nobody is given it unasked. Excluded ports say why; browsers refuse some of them.`;

const isWithheld = (row: AllocationRow): boolean => row.hostname_withheld_at !== null && row.released_at === null;

function describeWithheld({ cloudflare_hostname: hostname, hostname_withheld_at: since }: AllocationRow): string {
  return (
    `${hostname} is not routed to this port: when it was set (${since?.toISOString()}), another project had it, or it ` +
    'was still kept for one. It is not routed here by itself once it is free: set it again then.'
  );
}
