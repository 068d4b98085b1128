import { type Kysely, type Selectable, sql, type Transaction } from 'kysely';
import type { EventsTable, Json, Tables } from '../../database/tables.js';
import type { Event, EventType } from '../../schemas/events/event.js';

/** An event as the feed has it, before it is known who reads it. */
export interface FeedEvent {
  position: number;
  event: Event;
}

type EventRow = Omit<Selectable<EventsTable>, 'json_bytes'>;

/** How many events one transaction moves at most. */
const MOVED_AT_ONCE = 1000;

/**
 * Gives committed events their positions, in one order: moves them from `new_events` to `events`. One process at a time
 * does so, because it locks the row of the feed. Who comes next waits for its commit, so that positions become visible in
 * their order. Lock and look are two statements, as in ../../allocator/transaction.ts.
 * @returns the last position that was given, and whether there may be more to move
 */
export function moveNewEvents(db: Kysely<Tables>): Promise<{ last: number; isMore: boolean }> {
  return db.transaction().execute(async (trx) => {
    const last = await lockFeed(trx);
    const { rows } = await sql<{ moved: number }>`
      with moved as (
        delete from new_events where id in (select id from new_events order by id limit ${MOVED_AT_ONCE}) returning *
      ), inserted as (
        insert into events (position, type, project, subject, time, actor, data)
        select ${last}::bigint + row_number() over (order by id), type, project, subject, time, actor, data from moved
      ), counted as (
        select count(*)::integer as moved from moved
      ), remembered as (
        update event_feed set last_position = last_position + counted.moved from counted where counted.moved > 0
      )
      select moved from counted`.execute(trx);
    const moved = rows[0]?.moved ?? 0;
    return { last: last + moved, isMore: moved === MOVED_AT_ONCE };
  });
}

async function lockFeed(trx: Transaction<Tables>): Promise<number> {
  const { last_position } = await trx
    .selectFrom('event_feed')
    .select('last_position')
    .forUpdate()
    .executeTakeFirstOrThrow();
  return Number(last_position);
}

export async function hasNewEvents(db: Kysely<Tables>): Promise<boolean> {
  const { rows } = await sql<{ has_new: boolean }>`select exists (select from new_events) as has_new`.execute(db);
  return rows[0]?.has_new ?? false;
}

/** @returns the last position that was given, and the last one that was deleted because of its age */
export async function findFeedBounds(db: Kysely<Tables>): Promise<{ last: number; deleted: number }> {
  const row = await db.selectFrom('event_feed').selectAll().executeTakeFirstOrThrow();
  return { last: Number(row.last_position), deleted: Number(row.deleted_position) };
}

/** The events behind a position, in their order, whoever may see them. */
export async function findEventsAfter(
  db: Kysely<Tables>,
  position: number,
  limit: number,
  source: string,
): Promise<FeedEvent[]> {
  const rows = await db
    .selectFrom('events')
    .select(['position', 'type', 'project', 'subject', 'time', 'actor', 'data'])
    .where('position', '>', String(position))
    .orderBy('position')
    .limit(limit)
    .execute();
  return rows.map((row) => ({ position: Number(row.position), event: toEvent(row, source) }));
}

export function toEvent({ position, type, project, subject, time, actor, data }: EventRow, source: string): Event {
  return {
    specversion: '1.0',
    id: position,
    source,
    type: type as EventType,
    subject,
    time: time.toISOString(),
    datacontenttype: 'application/json',
    project,
    data: { actor: actor as unknown as Event['data']['actor'], ...(toWire(data) as object) },
  };
}

const TIME_FIELD = /_(at|until)$/;

/** The row of an object, as triggers store it, with the names and the times that answers have. */
function toWire(value: unknown, name = ''): unknown {
  if (Array.isArray(value)) return value.map((item) => (name === 'changed' ? camelCase(item) : item));
  if (typeof value === 'string' && TIME_FIELD.test(name)) return new Date(value).toISOString();
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value as Json).map(([field, item]) => [camelCase(field), toWire(item, field)]),
  );
}

const camelCase = (name: string) => name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
