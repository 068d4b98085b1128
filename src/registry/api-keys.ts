import { randomUUID } from 'node:crypto';
import type { Transaction } from 'kysely';
import { hashApiKey, makeApiKey } from '../access/api-key.js';
import { type Caller, CONFIGURED_ADMIN, callerId } from '../access/caller.js';
import * as refusals from '../access/refusals.js';
import type { Tables } from '../database/tables.js';
import { deleteApiKey, insertApiKey, lockApiKeys } from '../repositories/api-keys.js';
import { type IdempotencyKey, insertAnswers, lockAndFindAnswer, NO_PROJECT } from '../repositories/idempotency-keys.js';
import type { CreatedApiKey, NewApiKey } from '../schemas/api-key.js';
import type { Session } from './session.js';

/**
 * Creates a key. Its secret is in this answer and nowhere else; a repeated request is answered without it.
 * @throws AppError unauthorized, forbidden, validation-failed, idempotency-key-reused
 */
export function createApiKey(
  session: Session,
  wanted: NewApiKey,
  idempotency: IdempotencyKey | null,
): Promise<{ apiKey: CreatedApiKey; replayed: boolean }> {
  requireLimitsThatFitTheRole(wanted);
  const { caller } = session.access;
  return session.change('api-keys', async (trx) => {
    await requireKeyInForce(trx, caller);
    const answer = idempotency && (await lockAndFindAnswer(trx, NO_PROJECT, idempotency));
    if (answer) return { apiKey: answer as CreatedApiKey, replayed: true };
    const id = randomUUID();
    const key = makeApiKey(id);
    const created = await insertApiKey(trx, id, hashApiKey(key), callerId(caller), wanted);
    if (idempotency) {
      const withoutSecret = { ...created, key: null };
      await insertAnswers(trx, NO_PROJECT, [{ ...idempotency, response: withoutSecret }]);
    }
    return { apiKey: { ...created, key }, replayed: false };
  });
}

/** @throws AppError unauthorized, forbidden, api-key-not-found */
export function revokeApiKey(session: Session, id: string): Promise<void> {
  return session.change('api-keys', async (trx) => {
    await requireKeyInForce(trx, session.access.caller, id);
    if (!(await deleteApiKey(trx, id))) throw refusals.apiKeyNotFound(id);
  });
}

/**
 * Refuses a caller whose own key was revoked or has expired, and keeps it in force until the transaction ends. A replica
 * accepts a revoked key for up to 5 seconds. Whatever its holder does in that time ends with it, except for a key or a
 * webhook that is made then, and for the revocation of another key.
 * @param revoked a key that the caller revokes; locked together with the caller's, as `lockApiKeys` explains
 * @throws AppError unauthorized
 */
export async function requireKeyInForce(trx: Transaction<Tables>, caller: Caller, revoked?: string): Promise<void> {
  if (caller === CONFIGURED_ADMIN) return; // has no row, and is in force as long as this process runs
  const own = callerId(caller);
  const inForce = await lockApiKeys(trx, revoked === undefined ? [own] : [own, revoked]);
  if (!inForce.has(own)) throw refusals.keyWrong();
}

function requireLimitsThatFitTheRole({ role, projects = [], hostnames, hosts }: NewApiKey): void {
  if (role === 'project' && projects.length === 0) throw refusals.projectKeyWithoutProjects();
  if (role !== 'project' && projects.length > 0) throw refusals.unlimitedKeyWithProjects(role);
  if (role !== 'project' && hostnames) throw refusals.unlimitedKeyWithNames(role, 'hostnames');
  if (role !== 'project' && hosts) throw refusals.unlimitedKeyWithNames(role, 'hosts');
}
