import { type Kysely, type RawBuilder, sql } from 'kysely';
import type { Access } from '../../access/access.js';
import type { Tables } from '../../database/tables.js';
import type { EventType } from '../../schemas/events/event-types.js';
import { PAGE_BYTES } from '../pages.js';
import { type EventRow, type FeedEvent, toFeedEvent } from './events.js';

/** Which events a reader wants. */
export interface EventFilter {
  project?: string | undefined;
  types?: readonly EventType[] | undefined;
  /** A time in RFC 3339. */
  since?: string | undefined;
}

export interface ListedEvents extends EventFilter {
  /** Only what is behind this position. */
  after?: number | undefined;
  /** Only what is not behind this position. */
  upTo?: number | undefined;
  limit?: number | undefined;
}

/** Types of which only admins are told: they tell of keys, and of receivers outside of the registry. */
const ADMINS_TYPES = ['api-key.', 'webhook.'];
export const isForAdmins = (type: string): boolean => ADMINS_TYPES.some((prefix) => type.startsWith(prefix));

/**
 * A page of the events that a caller may see, the oldest first. Rows beyond PAGE_BYTES are left out in SQL and never
 * reach this process.
 */
export async function listEvents(
  db: Kysely<Tables>,
  access: Access,
  { project, types, since, after, upTo, limit = 100 }: ListedEvents,
  source: string,
): Promise<{ events: FeedEvent[]; hasNext: boolean }> {
  const projects = project === undefined ? access.projects : access.sees(project) ? [project] : [];
  const allowedTypes = types?.filter((type) => access.isAdmin || !isForAdmins(type));
  const conditions = [
    since === undefined || after !== undefined ? null : sql`position >= ${firstPosition(since)}`,
    since === undefined ? null : sql`time >= ${since}::timestamptz`,
    allowedTypes === undefined || projects === null ? null : sql`type = any(${allowedTypes}::text[])`,
    access.isAdmin || allowedTypes
      ? null
      : sql`not (type like any(${ADMINS_TYPES.map((prefix) => `${prefix}%`)}::text[]))`,
  ];
  const isListed = sql.join(
    conditions.filter((condition) => condition !== null),
    sql` and `,
  );
  const where = conditions.some((condition) => condition !== null) ? isListed : sql`true`;
  const { rows } = await sql<EventRow & { has_next: boolean }>`
    select position, type, project, subject, time, actor, data, json_bytes, has_next from (
      select asked.*, sum(json_bytes) over feed - json_bytes as bytes_before, lead(position) over feed is not null as has_next
      from (${firstRows(projects, allowedTypes, where, { after, upTo, limit: limit + 1 })}) asked
      window feed as (order by position)
    ) page
    where bytes_before < ${PAGE_BYTES} order by position limit ${limit}`.execute(db);
  return { events: rows.map((row) => toFeedEvent(row, source)), hasNext: rows.at(-1)?.has_next ?? false };
}

/**
 * The first rows in the order of positions. Of several projects or types, the first rows of each are read by its index, and
 * sorted. Rows are compared, and not the column alone, because only that index has this order: for a type that PostgreSQL
 * takes for a frequent one it would otherwise go through all positions until it has enough, and read every event.
 */
function firstRows(
  projects: readonly string[] | null,
  types: readonly string[] | undefined,
  where: RawBuilder<unknown>,
  {
    after = 0,
    upTo = Number.MAX_SAFE_INTEGER,
    limit,
  }: { after: number | undefined; upTo: number | undefined; limit: number },
): RawBuilder<unknown> {
  if (projects === null && types === undefined) {
    return sql`
      select * from events where position > ${after}::bigint and position <= ${upTo}::bigint and ${where}
      order by position limit ${limit}`;
  }
  const [column, values] = projects !== null ? [sql.ref('project'), projects] : [sql.ref('type'), types ?? []];
  return sql`
    select e.* from unnest(${values}::text[]) one (value) cross join lateral (
      select * from events
      where (${column}, position) > (one.value, ${after}::bigint) and (${column}, position) <= (one.value, ${upTo}::bigint)
        and ${where}
      order by ${column}, position limit ${limit}
    ) e
    order by e.position limit ${limit}`;
}

/** The first position of an event of this time or later; null if there is none. */
const firstPosition = (since: string): RawBuilder<string | null> => sql`(
  select position from events where latest_time >= ${since}::timestamptz order by latest_time, position limit 1)`;

/** The position before the first event of this time or later; `last` if there is none. */
export async function findPositionBefore(db: Kysely<Tables>, since: string, last: number): Promise<number> {
  const { rows } = await sql<{ first: string | null }>`
    select ${firstPosition(since)} as first`.execute(db);
  const first = rows[0]?.first ?? null;
  return first === null ? last : Number(first) - 1;
}
