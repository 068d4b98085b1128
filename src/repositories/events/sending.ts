// What the replica that sends reads and writes (src/services/webhooks/).
import { type Kysely, sql, type Transaction } from 'kysely';
import { SERVICE } from '../../access/actor.js';
import { actingAs } from '../../database/actors.js';
import type { EventsTable, Tables } from '../../database/tables.js';
import { type FeedEvent, toEvent } from './events.js';
import { disableWebhook, disableWebhooksOfExpiredKeys } from './webhooks.js';

/** How many deliveries one transaction writes at most, if every webhook wants every event. */
const WRITTEN_AT_ONCE = 2000;
/** How many events it goes along at least. */
const LEAST_EVENTS = 10;

/**
 * Writes the deliveries of the next events, for all webhooks that are switched on or for one of them, and advances their
 * positions in the same transaction. The webhooks are locked first, so that none is switched off, changed or deleted
 * meanwhile.
 * @returns how many deliveries were written; the position up to which all is written, null if no webhook is switched on;
 * and whether there is more
 */
export async function enqueueDeliveries(
  trx: Transaction<Tables>,
  webhookId: string | null = null,
): Promise<{ written: number; position: number | null; isMore: boolean }> {
  const { rows } = await sql<{ id: string; position: string }>`
    select id, position from webhooks
    where disabled_at is null and (${webhookId}::uuid is null or id = ${webhookId}::uuid)
    order by id for update`.execute(trx);
  if (rows.length === 0) return { written: 0, position: null, isMore: false };
  const ids = rows.map(({ id }) => id);
  const feed = await trx.selectFrom('event_feed').select('last_position').executeTakeFirstOrThrow();
  const last = Number(feed.last_position);
  const from = Math.min(...rows.map(({ position }) => Number(position)));
  const to = Math.min(last, from + Math.max(LEAST_EVENTS, Math.floor(WRITTEN_AT_ONCE / rows.length)));
  if (to <= from) return { written: 0, position: to, isMore: false };
  const { numAffectedRows = 0n } = await sql`
    insert into webhook_deliveries (webhook_id, position, type, project, generation)
    select w.id, e.position, e.type, coalesce(e.project, ''), w.generation
    from events e join webhooks w on w.position < e.position
    where e.position > ${from} and e.position <= ${to} and w.id = any(${ids}::uuid[])
      and (w.types = '{}' or e.type = any(w.types))
      and (w.projects = '{}' or e.project = any(w.projects))
    order by e.position`.execute(trx);
  await sql`update webhooks set position = ${to} where id = any(${ids}::uuid[]) and position < ${to}`.execute(trx);
  return { written: Number(numAffectedRows), position: to, isMore: to < last };
}

/** For how many seconds the first event has waited whose deliveries are not written yet; 0 if there is none. */
export async function findEnqueueLag(db: Kysely<Tables>): Promise<number> {
  const { rows } = await sql<{ seconds: number }>`
    select greatest(0, extract(epoch from clock_timestamp() - time))::double precision as seconds from events
    where position > (select min(position) from webhooks where disabled_at is null)
    order by position limit 1`.execute(db);
  return rows[0]?.seconds ?? 0;
}

/** Deliveries of one webhook and one project, which are sent one after another. */
export interface DeliveryQueue {
  webhookId: string;
  url: string;
  secret: string;
  generation: number;
  /** Of the webhook: those whose events it gets; empty for all. */
  projects: string[];
  /** Of the deliveries. */
  project: string;
  /** How often its first delivery was tried. */
  attempts: number;
  /** The seconds since its first delivery was to be sent. */
  pendingSeconds: number;
  /** Whether its first delivery may be sent now. */
  isDue: boolean;
}

const FIRST = sql`
  select project, position, attempts, next_attempt_at, queued_at from webhook_deliveries d
  where d.webhook_id = w.id and d.generation = w.generation and d.status = 'pending'`;
/**
 * The first pending delivery of each project of a webhook `w`. It goes from project to project by the index, so that it
 * does not read all that is pending.
 */
export const QUEUE_HEADS = sql`
  with recursive heads as (
    (${FIRST} order by project, position limit 1)
    union all
    select next.* from heads cross join lateral (
      ${FIRST} and d.project > heads.project order by project, position limit 1
    ) next
  )
  select * from heads`;

/** Whether a webhook gets events of a project, empty for those of none. What was written before that was changed is not sent. */
export const getsEventsOf = (project: string, { projects }: Pick<DeliveryQueue, 'projects'>): boolean =>
  projects.length === 0 || projects.includes(project);

/** The queues in which a delivery is to be sent, of the webhooks that are switched on; the one with the oldest event first. */
export async function findQueues(db: Kysely<Tables>): Promise<DeliveryQueue[]> {
  const { rows } = await sql<DeliveryQueue>`
    select w.id as "webhookId", w.url, w.secret, w.generation, w.projects, h.project, h.attempts,
      extract(epoch from clock_timestamp() - h.queued_at)::double precision as "pendingSeconds",
      coalesce(h.next_attempt_at <= clock_timestamp(), true) as "isDue"
    from webhooks w cross join lateral (${QUEUE_HEADS}) h
    where w.disabled_at is null and (w.projects = '{}' or h.project = any(w.projects))
    order by h.position`.execute(db);
  return rows;
}

export interface PendingDelivery {
  id: string;
  attempts: number;
  pendingSeconds: number;
  /** Null if the event is no longer kept. */
  event: FeedEvent['event'] | null;
}

/** The first pending deliveries of a queue, in their order. */
export async function findPendingDeliveries(
  db: Kysely<Tables>,
  { webhookId, generation, project }: DeliveryQueue,
  limit: number,
  source: string,
): Promise<PendingDelivery[]> {
  type Row = Pick<EventsTable, 'position' | 'type' | 'project' | 'subject' | 'actor' | 'data'> & {
    id: string;
    attempts: number;
    pendingSeconds: number;
    time: Date | null;
  };
  const { rows } = await sql<Row>`
    select d.id, d.attempts, extract(epoch from clock_timestamp() - d.queued_at)::double precision as "pendingSeconds",
      d.position, d.type, e.project, e.subject, e.time, e.actor, e.data
    from webhook_deliveries d left join events e on e.position = d.position
    where d.webhook_id = ${webhookId} and d.generation = ${generation} and d.project = ${project} and d.status = 'pending'
    order by d.position limit ${limit}`.execute(db);
  return rows.map(({ id, attempts, pendingSeconds, time, ...event }) => ({
    ...{ id, attempts, pendingSeconds },
    event: time === null ? null : toEvent({ ...event, time }, source),
  }));
}

/** What came of one attempt. */
export interface AttemptResult {
  id: string;
  webhookId: string;
  status: 'pending' | 'delivered' | 'failed';
  responseStatus: number | null;
  error: string | null;
  /** Until the next attempt, if it is pending. */
  waitMs: number;
  /** Set if the webhook is to be switched off: the URL that was called, and why. */
  disable?: { url: string; reason: string };
}

/**
 * Stores results, all in one statement. It locks the webhooks first, as whoever repeats a delivery or lets what waits be
 * tried at once: the two would otherwise lock the webhook and its deliveries in different orders.
 */
export async function storeResults(db: Kysely<Tables>, results: readonly AttemptResult[]): Promise<void> {
  const webhookIds = [...new Set(results.map(({ webhookId }) => webhookId))];
  await actingAs(db, SERVICE, async (trx) => {
    await sql`select from webhooks where id = any(${webhookIds}::uuid[]) order by id for update`.execute(trx);
    await sql`
      update webhook_deliveries d
      set status = r.status, attempts = d.attempts + 1, response_status = r."responseStatus", error = r.error,
        next_attempt_at = case when r.status = 'pending' then clock_timestamp() + make_interval(secs => r."waitMs" / 1000) end,
        ended_at = case when r.status <> 'pending' then clock_timestamp() end
      from jsonb_to_recordset(${JSON.stringify(results)}::jsonb)
        as r (id uuid, status text, "responseStatus" integer, error text, "waitMs" double precision)
      where d.id = r.id and (d.status = 'pending' or r.status = 'delivered')`.execute(trx);
    for (const { webhookId, disable } of results) {
      if (disable) await disableWebhook(trx, webhookId, disable.url, disable.reason);
    }
  });
}

/** Whether there is something to do for a replica that sends. Switches off the webhooks whose key has expired. */
export function hasWork(db: Kysely<Tables>): Promise<boolean> {
  return actingAs(db, SERVICE, async (trx) => {
    await disableWebhooksOfExpiredKeys(trx);
    const { rows } = await sql`
      select from webhooks w
      where disabled_at is null or exists (
        select from webhook_deliveries d
        where d.webhook_id = w.id and d.generation < w.generation and d.status = 'pending')
      limit 1`.execute(trx);
    return rows.length > 0;
  });
}
