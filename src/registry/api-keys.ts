import { randomUUID } from 'node:crypto';
import { hashApiKey, makeApiKey } from '../access/api-key.js';
import * as refusals from '../access/refusals.js';
import { deleteApiKey, insertApiKey } from '../repositories/api-keys.js';
import { type IdempotencyKey, insertAnswers, lockAndFindAnswer, NO_PROJECT } from '../repositories/idempotency-keys.js';
import type { CreatedApiKey, NewApiKey } from '../schemas/api-key.js';
import type { Session } from './session.js';

/**
 * Creates a key. Its secret is in this answer and nowhere else; a repeated request is answered without it.
 * @throws AppError forbidden, validation-failed, idempotency-key-reused
 */
export function createApiKey(
  session: Session,
  wanted: NewApiKey,
  idempotency: IdempotencyKey | null,
): Promise<{ apiKey: CreatedApiKey; replayed: boolean }> {
  requireLimitsThatFitTheRole(wanted);
  return session.change('api-keys', (db) =>
    db.transaction().execute(async (trx) => {
      const answer = idempotency && (await lockAndFindAnswer(trx, NO_PROJECT, idempotency));
      if (answer) return { apiKey: answer as CreatedApiKey, replayed: true };
      const id = randomUUID();
      const key = makeApiKey(id);
      const created = await insertApiKey(trx, id, hashApiKey(key), wanted);
      if (idempotency) {
        const withoutSecret = { ...created, key: null };
        await insertAnswers(trx, NO_PROJECT, [{ ...idempotency, response: withoutSecret }]);
      }
      return { apiKey: { ...created, key }, replayed: false };
    }),
  );
}

/** @throws AppError forbidden, api-key-not-found */
export function revokeApiKey(session: Session, id: string): Promise<void> {
  return session.change('api-keys', async (db) => {
    if (!(await deleteApiKey(db, id))) throw refusals.apiKeyNotFound(id);
  });
}

function requireLimitsThatFitTheRole({ role, projects = [], hostnames, hosts }: NewApiKey): void {
  if (role === 'project' && projects.length === 0) throw refusals.projectKeyWithoutProjects();
  if (role !== 'project' && projects.length > 0) throw refusals.unlimitedKeyWithProjects(role);
  if (role !== 'project' && hostnames) throw refusals.unlimitedKeyWithNames(role, 'hostnames');
  if (role !== 'project' && hosts) throw refusals.unlimitedKeyWithNames(role, 'hosts');
}
