import { type Kysely, type RawBuilder, sql, type Transaction } from 'kysely';
import type { Access } from '../../access/access.js';
import type { Tables, WebhookRow } from '../../database/tables.js';
import type { EventType } from '../../schemas/events/event-types.js';
import type { NewWebhook, Webhook } from '../../schemas/events/webhook.js';
import { decodeCursor, isTime, isUuid, type Page, type PageRequest, toPage } from '../pages.js';
import { webhookNotFound, webhooksLimitReached } from './refusals.js';

/** How many webhooks there may be, and how many of them one key with the role `project` may have made. */
const MAX_WEBHOOKS = 100;
const MAX_WEBHOOKS_PER_KEY = 20;

/** A key that is limited to some projects sees the webhooks that get events of these alone. */
function isVisibleTo({ projects }: Access): RawBuilder<boolean> {
  return projects === null ? sql`true` : sql`(cardinality(projects) > 0 and projects <@ ${projects}::text[])`;
}

/** Oldest first. @throws AppError forbidden */
export async function listWebhooks(
  db: Kysely<Tables>,
  access: Access,
  { limit = 100, cursor, maxBytes }: PageRequest,
): Promise<Page<Webhook>> {
  access.requireWebhooks();
  const after = decodeCursor(cursor, isTime, isUuid);
  const rows = await db
    .selectFrom('webhooks')
    .selectAll()
    .where(isVisibleTo(access))
    .$if(after !== null, (q) =>
      q.where(sql<boolean>`(created_at, id) > (${after?.[0]}::timestamptz, ${after?.[1]}::uuid)`),
    )
    .orderBy('created_at')
    .orderBy('id')
    .limit(limit + 1)
    .execute();
  return toPage(rows, { limit, maxBytes }, toWebhook, (row) => [row.created_at.toISOString(), row.id]);
}

/** @throws AppError forbidden, webhook-not-found */
export async function findWebhook(db: Kysely<Tables>, access: Access, id: string): Promise<Webhook> {
  access.requireWebhooks();
  const row = await db
    .selectFrom('webhooks')
    .selectAll()
    .where('id', '=', id)
    .where(isVisibleTo(access))
    .executeTakeFirst();
  if (row === undefined) throw webhookNotFound(id);
  return toWebhook(row);
}

/** Locks it, so that no deliveries are written for it meanwhile. @throws AppError forbidden, webhook-not-found */
export async function lockWebhook(trx: Transaction<Tables>, access: Access, id: string): Promise<WebhookRow> {
  access.requireWebhooks();
  const row = await trx
    .selectFrom('webhooks')
    .selectAll()
    .where('id', '=', id)
    .where(isVisibleTo(access))
    .forUpdate()
    .executeTakeFirst();
  if (row === undefined) throw webhookNotFound(id);
  return row;
}

/** The position behind which a webhook gets the events: all that are in the feed by now are left out. */
const END_OF_FEED = sql<string>`(select last_position from event_feed)`;
const DISABLED_BY_REQUEST = 'It was switched off by request.';

/**
 * @param by the id of the caller, and of the key that answers for it if that has the role `project`
 * @throws AppError limit-reached
 */
export async function insertWebhook(
  trx: Transaction<Tables>,
  { url, types = [], projects = [], description = null, enabled = true }: NewWebhook,
  secret: string,
  { caller, keyId }: { caller: string; keyId: string | null },
): Promise<Webhook> {
  await sql`lock table webhooks in share row exclusive mode`.execute(trx); // so that the number stays what it is
  const { rows } = await sql<{ all: number; own: number }>`
    select count(*)::integer as all, count(*) filter (where key_id = ${keyId}::uuid)::integer as own from webhooks`.execute(
    trx,
  );
  const [{ all, own }] = rows as [{ all: number; own: number }];
  if (own >= MAX_WEBHOOKS_PER_KEY) throw webhooksLimitReached('This key has made', MAX_WEBHOOKS_PER_KEY);
  if (all >= MAX_WEBHOOKS) throw webhooksLimitReached('There are', MAX_WEBHOOKS);
  const row = await trx
    .insertInto('webhooks')
    .values({
      ...{ url, types, projects, description, secret, created_by: caller, key_id: keyId, position: END_OF_FEED },
      disabled_at: enabled ? null : sql<Date>`clock_timestamp()`,
      disabled_reason: enabled ? null : DISABLED_BY_REQUEST,
    })
    .returningAll()
    .executeTakeFirstOrThrow();
  return toWebhook(row);
}

export interface WebhookUpdate {
  url?: string;
  types?: string[];
  projects?: string[];
  description?: string | null;
  enabled?: boolean;
  /** The key that answers for it from now on. */
  keyId?: string | null;
}

/** Of a webhook that this transaction has locked. */
export async function updateWebhook(
  trx: Transaction<Tables>,
  row: WebhookRow,
  { enabled = row.disabled_at === null, keyId = row.key_id, ...fields }: WebhookUpdate,
): Promise<Webhook> {
  const isSwitched = enabled !== (row.disabled_at === null);
  const updated = await trx
    .updateTable('webhooks')
    .set({
      ...{ url: row.url, ...fields, key_id: keyId },
      ...(isSwitched && {
        disabled_at: enabled ? null : sql<Date>`clock_timestamp()`,
        disabled_reason: enabled ? null : DISABLED_BY_REQUEST,
        ...(enabled && { position: END_OF_FEED }),
      }),
    })
    .where('id', '=', row.id)
    .returningAll()
    .executeTakeFirstOrThrow();
  return toWebhook(updated);
}

export async function deleteWebhook(trx: Transaction<Tables>, id: string): Promise<void> {
  await trx.deleteFrom('webhooks').where('id', '=', id).execute();
}

/** Switches off what the receiver no longer wants, if it has not been pointed elsewhere meanwhile. */
export async function disableWebhook(trx: Transaction<Tables>, id: string, url: string, reason: string): Promise<void> {
  await trx
    .updateTable('webhooks')
    .set({ disabled_at: sql<Date>`clock_timestamp()`, disabled_reason: reason })
    .where('id', '=', id)
    .where('url', '=', url)
    .where('disabled_at', 'is', null)
    .execute();
}

/** Switches off the webhooks whose key has expired. When a key is revoked, a trigger does it. */
export async function disableWebhooksOfExpiredKeys(trx: Transaction<Tables>): Promise<void> {
  await sql`
    update webhooks set disabled_at = clock_timestamp(), disabled_reason = 'The key that answers for it has expired.'
    where disabled_at is null
      and key_id in (select id from api_keys where expires_at <= clock_timestamp())`.execute(trx);
}

function toWebhook(row: WebhookRow): Webhook {
  return {
    id: row.id,
    url: row.url,
    types: row.types as EventType[],
    projects: row.projects,
    description: row.description,
    enabled: row.disabled_at === null,
    disabledAt: row.disabled_at?.toISOString() ?? null,
    disabledReason: row.disabled_reason,
    createdBy: row.created_by,
    createdAt: row.created_at.toISOString(),
  };
}
