// The deliveries that are not sent any more, which the replica that sends ends. There may be a million of them, so each
// statement ends a batch, in a transaction of its own.
import { type Kysely, type RawBuilder, sql } from 'kysely';
import { SERVICE } from '../../access/actor.js';
import { actingAs } from '../../database/actors.js';
import type { Tables } from '../../database/tables.js';
import { type DeliveryQueue, QUEUE_HEADS } from './sending.js';

/** How many deliveries one statement ends at most. */
const ENDED_AT_ONCE = 2000;

/**
 * Ends a batch of what was pending when its webhook was switched off.
 * @returns whether there may be more
 */
export function endSwitchedOff(db: Kysely<Tables>): Promise<boolean> {
  const ids = sql`
    select d.id from webhooks w cross join lateral (
      select id from webhook_deliveries d
      where d.webhook_id = w.id and d.generation < w.generation and d.status = 'pending'
      order by generation, project, position limit ${ENDED_AT_ONCE} for update skip locked
    ) d limit ${ENDED_AT_ONCE}`;
  return endBatch(db, ids, 'The webhook was switched off.');
}

/**
 * Ends a batch of the deliveries of projects that were taken from their webhook, so that whoever has the webhook now does
 * not get them. The queue and what is pending in it are read in one statement with the projects: what is written after a
 * project was given back is not ended.
 * @returns whether there may be more
 */
export function endOfOtherProjects(db: Kysely<Tables>): Promise<boolean> {
  const ids = sql`
    select d.id from webhooks w cross join lateral (${QUEUE_HEADS}) h cross join lateral (
      select id from webhook_deliveries d
      where d.webhook_id = w.id and d.generation = w.generation and d.project = h.project and d.status = 'pending'
      order by d.position limit ${ENDED_AT_ONCE} for update skip locked
    ) d
    where w.projects <> '{}' and h.project <> all(w.projects) limit ${ENDED_AT_ONCE}`;
  return endBatch(db, ids, 'The webhook gets no events of this project any more.');
}

/**
 * Ends a batch of the deliveries at the head of a queue that are too old to be sent, where one of that age has failed.
 * @returns whether there may be more
 */
export function endTooOld(
  db: Kysely<Tables>,
  { webhookId, generation, project }: DeliveryQueue,
  giveUpSeconds: number,
): Promise<boolean> {
  const ids = sql`
    select id from (
      select id, queued_at from webhook_deliveries
      where webhook_id = ${webhookId} and generation = ${generation} and project = ${project} and status = 'pending'
      order by position limit ${ENDED_AT_ONCE} for update skip locked
    ) d where queued_at <= clock_timestamp() - make_interval(secs => ${giveUpSeconds})`;
  return endBatch(db, ids, 'It was not sent, because those before it failed until it was too old.');
}

/**
 * @param ids the deliveries, locked; those that somebody else has locked are left out, since the two would wait for each
 * other
 */
function endBatch(db: Kysely<Tables>, ids: RawBuilder<unknown>, error: string): Promise<boolean> {
  return actingAs(db, SERVICE, async (trx) => {
    const { numAffectedRows = 0n } = await sql`
      update webhook_deliveries
      set status = 'failed', ended_at = clock_timestamp(), next_attempt_at = null,
        error = coalesce(error || ' ', '') || ${error}
      where id = any(array(${ids}))`.execute(trx);
    return Number(numAffectedRows) === ENDED_AT_ONCE;
  });
}
