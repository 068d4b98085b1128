import { randomUUID } from 'node:crypto';
import { type Kysely, sql, type Transaction } from 'kysely';
import * as refusals from '../access-refusals.js';
import { hashApiKey, makeApiKey } from '../api-key.js';
import { executePrepared } from '../database/prepared-statements.js';
import type { ApiKeyRow, Tables } from '../database/tables.js';
import type { ApiKey, CreatedApiKey, NewApiKey } from '../schemas/api-key.js';
import type { IdempotencyClaim } from './commands.js';
import { findAnswerInTurn, insertAnswers } from './idempotency.js';
import { decodeCursor, isTime, isUuid, type Page, toPage } from './pages.js';
import { toTime } from './rows.js';
import type { Store } from './store.js';

/** Its Idempotency-Key is kept under this, which is no project's name. */
const NO_PROJECT = '';

/**
 * The secret is in this answer and nowhere else; a repeated request is answered without it.
 * @throws AppError forbidden, validation-failed, idempotency-key-reused
 */
export function createApiKey(
  store: Store,
  wanted: NewApiKey,
  claim: IdempotencyClaim | null,
): Promise<{ apiKey: CreatedApiKey; replayed: boolean }> {
  demandSense(wanted);
  return store.change('api-keys', (db) =>
    db.transaction().execute(async (trx) => {
      const answer = claim && (await findAnswerInTurn(trx, NO_PROJECT, claim));
      if (answer) return { apiKey: answer as CreatedApiKey, replayed: true };
      const id = randomUUID();
      const key = makeApiKey(id);
      const created = toApiKey(await insertApiKey(trx, id, hashApiKey(key), wanted));
      if (claim) await insertAnswers(trx, NO_PROJECT, [{ ...claim, response: { ...created, key: null } }], 201);
      return { apiKey: { ...created, key }, replayed: false };
    }),
  );
}

/** Oldest first. @throws AppError forbidden */
export async function listApiKeys(
  { db, access }: Store,
  { limit = 100, cursor }: { limit?: number; cursor?: string },
): Promise<Page<ApiKey>> {
  access.demandAdminKey();
  const after = decodeCursor(cursor, isTime, isUuid);
  const rows = await db
    .selectFrom('api_keys')
    .selectAll()
    .$if(after !== null, (q) =>
      q.where(sql<boolean>`(created_at, id) > (${after?.[0]}::timestamptz, ${after?.[1]}::uuid)`),
    )
    .orderBy('created_at')
    .orderBy('id')
    .limit(limit + 1)
    .execute();
  return toPage(rows, limit, toApiKey, (row) => [row.created_at.toISOString(), row.id]);
}

/** @throws AppError forbidden, api-key-not-found */
export function revokeApiKey(store: Store, id: string): Promise<void> {
  return store.change('api-keys', async (db) => {
    const { numDeletedRows } = await db.deleteFrom('api_keys').where('id', '=', id).executeTakeFirst();
    if (numDeletedRows === 0n) throw refusals.apiKeyNotFound(id);
  });
}

export type KnownApiKey = Pick<ApiKeyRow, 'id' | 'name' | 'role' | 'projects' | 'hash' | 'expires_at'> & {
  /** Until it expires, by the database's clock; null where it never does. */
  remaining_ms: number | null;
};

/** For authentication, before there is a caller. In the order given; null for an id that names nothing. */
export async function findApiKeys(db: Kysely<Tables>, ids: readonly string[]): Promise<(KnownApiKey | null)[]> {
  const statement = sql<KnownApiKey>`
    select id, name, role, projects, hash, expires_at,
      extract(epoch from expires_at - clock_timestamp())::double precision * 1000 as remaining_ms
    from api_keys where id = any(${ids}::uuid[])`;
  const { rows } = await executePrepared(db, statement);
  const found = new Map(rows.map((row) => [row.id, row]));
  return ids.map((id) => found.get(id) ?? null);
}

/** Rows that another replica writes at this moment are left to it. @param ages ms since each was used */
export async function touchApiKeys(db: Kysely<Tables>, ages: ReadonlyMap<string, number>): Promise<void> {
  const used = JSON.stringify([...ages].map(([id, age]) => ({ id, age })));
  await sql`
    update api_keys k
    set last_used_at = greatest(k.last_used_at, clock_timestamp() - make_interval(secs => u.age / 1000))
    from jsonb_to_recordset(${used}::jsonb) as u (id uuid, age double precision)
    where k.id = u.id and k.id in (select id from api_keys where id = any(${[...ages.keys()]}::uuid[])
                                   for no key update skip locked)`.execute(db);
}

function demandSense({ role, projects = [] }: NewApiKey): void {
  if (role === 'project' && projects.length === 0) throw refusals.projectKeyWithoutProjects();
  if (role !== 'project' && projects.length > 0) throw refusals.unlimitedKeyWithProjects(role);
}

async function insertApiKey(
  trx: Transaction<Tables>,
  id: string,
  hash: Buffer,
  { name, role, projects = [], expiresAt = null }: NewApiKey,
): Promise<ApiKeyRow> {
  const { rows } = await sql<ApiKeyRow & { is_past: boolean }>`
    insert into api_keys (id, name, role, projects, hash, expires_at)
    values (${id}, ${name}, ${role}, ${projects}, ${hash}, ${expiresAt})
    returning *, coalesce(expires_at <= clock_timestamp(), false) as is_past`.execute(trx);
  const [row] = rows as [(typeof rows)[0]];
  if (row.is_past) throw refusals.keyExpiredAlready();
  return row;
}

function toApiKey(row: ApiKeyRow): ApiKey {
  return {
    id: row.id,
    name: row.name,
    role: row.role,
    projects: row.projects,
    createdAt: row.created_at.toISOString(),
    expiresAt: toTime(row.expires_at),
    lastUsedAt: toTime(row.last_used_at),
  };
}
