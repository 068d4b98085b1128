import { randomBytes } from 'node:crypto';
import type { Transaction } from 'kysely';
import { callerId } from '../access/caller.js';
import type { Tables } from '../database/tables.js';
import { hurryDeliveries, repeatDelivery } from '../repositories/events/deliveries.js';
import { webhookDisabled } from '../repositories/events/refusals.js';
import { enqueueDeliveries } from '../repositories/events/sending.js';
import { deleteWebhook, insertWebhook, lockWebhook, updateWebhook } from '../repositories/events/webhooks.js';
import { type IdempotencyKey, insertAnswers, lockAndFindAnswer, NO_PROJECT } from '../repositories/idempotency-keys.js';
import type { CreatedWebhook, NewWebhook, Webhook, WebhookChange, WebhookDelivery } from '../schemas/events/webhook.js';
import { canonicalHost } from '../schemas/host.js';
import { requireKeyInForce } from './api-keys.js';
import type { Session } from './session.js';

/** Standard Webhooks asks for 24 to 64 bytes. */
const SECRET_BYTES = 32;

/**
 * Finds out where a URL leads, and refuses what nothing may be sent to.
 * @returns the URL as it is stored
 * @throws AppError validation-failed, destination-not-allowed
 */
export type RequireDestination = (url: string) => Promise<string>;

/**
 * Makes a webhook. Its secret is in this answer and nowhere else; a repeated request is answered without it.
 * @throws AppError unauthorized, forbidden, validation-failed, destination-not-allowed, limit-reached, idempotency-key-reused
 */
export async function createWebhook(
  session: Session,
  wanted: NewWebhook,
  idempotency: IdempotencyKey | null,
  requireDestination: RequireDestination,
): Promise<{ webhook: CreatedWebhook; replayed: boolean }> {
  session.access.requireWebhookProjects(wanted.projects ?? []);
  const url = await requireUrl(session, wanted.url, requireDestination);
  return session.change('webhooks', async (trx) => {
    const keyId = await requireKeyThatAnswers(trx, session);
    const answer = idempotency && (await lockAndFindAnswer(trx, NO_PROJECT, idempotency));
    if (answer) return { webhook: answer as CreatedWebhook, replayed: true };
    const secret = `whsec_${randomBytes(SECRET_BYTES).toString('base64')}`;
    const by = { caller: callerId(session.access.caller), keyId };
    const webhook = await insertWebhook(trx, { ...wanted, url }, secret, by);
    if (idempotency) {
      await insertAnswers(trx, NO_PROJECT, [{ ...idempotency, response: { ...webhook, secret: null } }]);
    }
    return { webhook: { ...webhook, secret }, replayed: false };
  });
}

/**
 * Changes a webhook. Whoever switches on one that was off answers for it from then on, so that a new key can take the
 * place of one that was revoked. So does whoever gives it another URL: a key that is revoked must not go on getting events
 * at the URL that it set.
 * @throws AppError unauthorized, forbidden, validation-failed, webhook-not-found, destination-not-allowed
 */
export async function changeWebhook(
  session: Session,
  id: string,
  { url: wantedUrl, ...change }: WebhookChange,
  requireDestination: RequireDestination,
): Promise<Webhook> {
  if (change.projects) session.access.requireWebhookProjects(change.projects);
  const url = wantedUrl === undefined ? undefined : await requireUrl(session, wantedUrl, requireDestination);
  const isFiltered = change.types !== undefined || change.projects !== undefined;
  if (isFiltered) await enqueueBacklog(session, id);
  return session.change('webhooks', async (trx) => {
    const keyId = await requireKeyThatAnswers(trx, session);
    const row = await lockWebhook(trx, session.access, id);
    while (isFiltered && (await enqueueDeliveries(trx, id)).isMore); // what has happened since
    if (change.enabled) {
      requireHostOf(session, url ?? row.url);
      await hurryDeliveries(trx, id);
    }
    const isTakenOver = (url !== undefined && url !== row.url) || (change.enabled && row.disabled_at !== null);
    return updateWebhook(trx, row, { ...change, ...(url && { url }), ...(isTakenOver && { keyId }) });
  });
}

/**
 * Writes the deliveries of what has happened by now, which is of the types and projects that the webhook had until now. If
 * nothing was sent for long, that may be more than one transaction has time for. A request that is refused because it takes
 * too long can be repeated, and less is left then.
 * @throws AppError forbidden, webhook-not-found
 */
async function enqueueBacklog(session: Session, id: string): Promise<void> {
  const enqueue = () =>
    session.change('webhooks', async (trx) => {
      await lockWebhook(trx, session.access, id);
      return enqueueDeliveries(trx, id);
    });
  while ((await enqueue()).isMore);
}

/** Deletes a webhook with its deliveries. @throws AppError forbidden, webhook-not-found */
export function removeWebhook(session: Session, id: string): Promise<void> {
  return session.change('webhooks', async (trx) => {
    await lockWebhook(trx, session.access, id);
    await deleteWebhook(trx, id);
  });
}

/** @throws AppError forbidden, webhook-not-found, delivery-not-found, webhook-disabled */
export function repeat(session: Session, id: string, deliveryId: string): Promise<WebhookDelivery> {
  return session.change('webhooks', async (trx) => {
    const webhook = await lockWebhook(trx, session.access, id);
    requireHostOf(session, webhook.url);
    if (webhook.disabled_reason !== null) throw webhookDisabled(id, webhook.disabled_reason);
    return repeatDelivery(trx, session.access, webhook, deliveryId);
  });
}

async function requireUrl(session: Session, wanted: string, requireDestination: RequireDestination): Promise<string> {
  session.access.requireChange('webhooks');
  const url = await requireDestination(wanted);
  requireHostOf(session, url);
  return url;
}

/** A key that takes ports on some hosts alone sends nothing to others. @throws AppError forbidden */
function requireHostOf({ access }: Session, url: string): void {
  access.requireNames({ hosts: [canonicalHost(new URL(url).hostname) ?? ''] });
}

/**
 * @returns the key that answers for a webhook, if the caller's has the role `project`. What an admin makes belongs to the
 * service, and goes on when the admin's key is replaced by another one.
 * @throws AppError unauthorized
 */
async function requireKeyThatAnswers(trx: Transaction<Tables>, { access }: Session): Promise<string | null> {
  const { caller, projects } = access;
  if (caller.kind !== 'key') return null;
  await requireKeyInForce(trx, caller);
  return projects === null ? null : caller.id;
}
