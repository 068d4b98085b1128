import { type Kysely, type RawBuilder, sql, type Transaction } from 'kysely';
import type { Access } from '../../access/access.js';
import type { Tables, WebhookDeliveryRow, WebhookRow } from '../../database/tables.js';
import type { EventType } from '../../schemas/events/event-types.js';
import type { WebhookDelivery, WebhookDeliveryQuery } from '../../schemas/events/webhook.js';
import { decodeCursor, type Page, type PageRequest, toPage } from '../pages.js';
import { deliveryNotFound } from './refusals.js';
import { findWebhook } from './webhooks.js';

const isPosition = (part: unknown): part is string => typeof part === 'string' && /^\d{1,18}$/.test(part);

/** A webhook may have had other projects once, also some that those who see it now may not see. */
function isVisibleTo({ projects }: Access): RawBuilder<boolean> {
  return projects === null ? sql`true` : sql`project = any(${projects}::text[])`;
}

/** Newest first. @throws AppError forbidden, webhook-not-found */
export async function listDeliveries(
  db: Kysely<Tables>,
  access: Access,
  webhookId: string,
  { status, limit = 100, cursor, maxBytes }: WebhookDeliveryQuery & PageRequest,
): Promise<Page<WebhookDelivery>> {
  const before = decodeCursor(cursor, isPosition);
  await findWebhook(db, access, webhookId);
  const rows = await db
    .selectFrom('webhook_deliveries')
    .selectAll()
    .where('webhook_id', '=', webhookId)
    .where(isVisibleTo(access))
    .$if(status !== undefined, (q) => q.where(sql<boolean>`status = ${sql.lit(status)}`)) // as the indexes say it
    .$if(before !== null, (q) => q.where('position', '<', before?.[0] as string))
    .orderBy('position', 'desc')
    .limit(limit + 1)
    .execute();
  return toPage(rows, { limit, maxBytes }, toDelivery, (row) => [row.position]);
}

/**
 * Makes it pending again, as if its event had just happened.
 * @param webhook locked
 * @throws AppError delivery-not-found, also for one of a project of which the webhook gets no events any more
 */
export async function repeatDelivery(
  trx: Transaction<Tables>,
  access: Access,
  { id: webhookId, generation, projects }: Pick<WebhookRow, 'id' | 'generation' | 'projects'>,
  deliveryId: string,
): Promise<WebhookDelivery> {
  const row = await trx
    .updateTable('webhook_deliveries')
    .set({
      ...{ status: 'pending', attempts: 0, next_attempt_at: null, ended_at: null, generation },
      ...{ response_status: null, error: null, queued_at: sql<Date>`clock_timestamp()` },
    })
    .where('webhook_id', '=', webhookId)
    .where('id', '=', deliveryId)
    .where(isVisibleTo(access))
    .$if(projects.length > 0, (q) => q.where('project', 'in', projects))
    .returningAll()
    .executeTakeFirst();
  if (row === undefined) throw deliveryNotFound(deliveryId);
  return toDelivery(row);
}

/** Lets what waits after a failure be tried at once. */
export async function hurryDeliveries(trx: Transaction<Tables>, webhookId: string): Promise<void> {
  await sql`
    update webhook_deliveries set next_attempt_at = null
    where webhook_id = ${webhookId} and status = 'pending' and next_attempt_at is not null`.execute(trx);
}

/**
 * Deletes deliveries that have ended and are older than `days`, or whose event was deleted.
 * @returns how many were deleted
 */
export async function deleteOldDeliveries(trx: Transaction<Tables>, days: number, limit: number): Promise<number> {
  const { numAffectedRows = 0n } = await sql`
    with old as (
      select greatest(
        (select deleted_position from event_feed),
        (select position from events where latest_time < statement_timestamp() - make_interval(days => ${days})
         order by latest_time desc, position desc limit 1)
      ) as position
    )
    delete from webhook_deliveries where id in (
      select d.id from webhooks w
      cross join lateral (
        select id from webhook_deliveries, old
        where webhook_id = w.id and webhook_deliveries.position <= old.position and status <> 'pending'
        order by webhook_deliveries.position limit ${limit}
      ) d limit ${limit}
    )`.execute(trx);
  return Number(numAffectedRows);
}

function toDelivery(row: WebhookDeliveryRow): WebhookDelivery {
  return {
    id: row.id,
    webhookId: row.webhook_id,
    eventId: row.position,
    type: row.type as EventType,
    project: row.project || null,
    status: row.status,
    attempts: row.attempts,
    responseStatus: row.response_status,
    error: row.error,
    createdAt: row.created_at.toISOString(),
    nextAttemptAt: row.next_attempt_at?.toISOString() ?? null,
    endedAt: row.ended_at?.toISOString() ?? null,
  };
}
