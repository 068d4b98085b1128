import { type Kysely, type Selectable, sql, type Transaction } from 'kysely';
import { toAppError } from '../../database/errors.js';
import type { EventsTable, Json, Tables } from '../../database/tables.js';
import type { Event } from '../../schemas/events/event.js';
import type { EventType } from '../../schemas/events/event-types.js';
import { feedBusy } from './refusals.js';

/** An event as the feed has it, before it is known who reads it. */
export interface FeedEvent {
  position: number;
  event: Event;
  /** About how many bytes it has as JSON. */
  bytes: number;
}

export type EventRow = Omit<Selectable<EventsTable>, 'latest_time'>;

/** Tells other replicas that there are events, see `Database.listen`. Channels belong to a database, not to a schema. */
export const EVENTS_CHANNEL = 'port_allocator_events';

/** How many events one transaction moves at most. */
const MOVED_AT_ONCE = 1000;

/**
 * Gives committed events their positions, in one order: moves them from `new_events` to `events`. One process at a time
 * does so, because it locks the row of the feed. Who comes next waits for its commit, so that positions become visible in
 * their order. Lock and look are two statements, as in ../../allocator/transaction.ts.
 *
 * Replicas that listen are told. Only this transaction tells them, and none that makes a change: at its commit, NOTIFY
 * takes a lock on the whole database, for which all writers would wait.
 * @returns the last position that was given, and whether there may be more to move
 */
export function moveNewEvents(db: Kysely<Tables>): Promise<{ last: number; isMore: boolean }> {
  return db.transaction().execute(async (trx) => {
    const last = await lockFeed(trx);
    const { rows } = await sql<{ moved: number }>`
      with moved as (
        delete from new_events where id = any(array(select id from new_events order by id limit ${MOVED_AT_ONCE}))
        returning *
      ), inserted as (
        insert into events (position, type, project, subject, time, latest_time, actor, data)
        select ${last}::bigint + row_number() over (order by id), type, project, subject, time,
               greatest(max(time) over (order by id), (select latest_time from events order by position desc limit 1)),
               actor, data
        from moved
      ), counted as (
        select count(*)::integer as moved from moved
      ), remembered as (
        update event_feed set last_position = last_position + counted.moved from counted where counted.moved > 0
      )
      select moved, case when moved > 0 then pg_notify(${EVENTS_CHANNEL}, current_schema()) end from counted`.execute(
      trx,
    );
    const moved = rows[0]?.moved ?? 0;
    return { last: last + moved, isMore: moved === MOVED_AT_ONCE };
  });
}

/** @throws AppError overloaded if another transaction holds the lock for longer than LOCK_TIMEOUT_MS */
async function lockFeed(trx: Transaction<Tables>): Promise<number> {
  const lock = trx.selectFrom('event_feed').select('last_position').forUpdate();
  const { last_position } = await lock.executeTakeFirstOrThrow().catch((error: unknown) => {
    throw toAppError(error)?.code === 'project-busy' ? feedBusy(error) : error;
  });
  return Number(last_position);
}

/**
 * Whether there is anything to move. Takes no lock.
 * @returns the last position that was given, and for how many seconds the event has waited that is first in turn, null if
 * there is none
 */
export async function findWaiting(db: Kysely<Tables>): Promise<{ last: number; waitingSeconds: number | null }> {
  // `order by` makes PostgreSQL read the index, which forgets rows that were deleted, and not the table, which has them
  // until it is vacuumed.
  const { rows } = await sql<{ last: string; waiting: number | null }>`
    select last_position as last, (
      select greatest(0, extract(epoch from clock_timestamp() - time))::float from new_events order by id limit 1
    ) as waiting
    from event_feed`.execute(db);
  const [row] = rows;
  if (!row) throw new Error('The table event_feed has no row');
  return { last: Number(row.last), waitingSeconds: row.waiting };
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
    .selectAll()
    .where('position', '>', String(position))
    .orderBy('position')
    .limit(limit)
    .execute();
  return rows.map((row) => toFeedEvent(row, source));
}

export function toFeedEvent(row: EventRow, source: string): FeedEvent {
  return { position: Number(row.position), event: toEvent(row, source), bytes: row.json_bytes };
}

export function toEvent(
  { position, type, project, subject, time, actor, data }: Omit<EventRow, 'json_bytes'>,
  source: string,
): Event {
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
  if (typeof value === 'string' && TIME_FIELD.test(name)) return toTime(value);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value as Json).map(([field, item]) => [camelCase(field), toWire(item, field)]),
  );
}

/** A time that only a `psql` prompt can have set, such as `infinity`, stays as it is: nobody could read the feed otherwise. */
function toTime(stored: string): string {
  const time = new Date(stored);
  return Number.isNaN(time.getTime()) ? stored : time.toISOString();
}

const camelCase = (name: string) => name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
