import { type Kysely, sql, type Transaction } from 'kysely';
import type { Access } from '../access/access.js';
import { keyExpiredAlready } from '../access/refusals.js';
import { executePrepared } from '../database/statements.js';
import type { ApiKeyRow, Tables } from '../database/tables.js';
import type { ApiKey, NewApiKey } from '../schemas/api-key.js';
import { decodeCursor, isTime, isUuid, type Page, type PageRequest, toPage } from './pages.js';

/** Oldest first. @throws AppError forbidden */
export async function listApiKeys(
  db: Kysely<Tables>,
  access: Access,
  { limit = 100, cursor, maxBytes }: PageRequest,
): Promise<Page<ApiKey>> {
  access.requireAdminKey();
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
  return toPage(rows, { limit, maxBytes }, toApiKey, (row) => [row.created_at.toISOString(), row.id]);
}

export type KnownApiKey = Pick<
  ApiKeyRow,
  'id' | 'name' | 'role' | 'projects' | 'hostnames' | 'hosts' | 'hash' | 'expires_at'
> & {
  /** Until it expires, by the database's clock; null where it never does. */
  remaining_ms: number | null;
};

/** For authentication, when it is not yet known who asks. In the order given; null for an id that names nothing. */
export async function findApiKeys(db: Kysely<Tables>, ids: readonly string[]): Promise<(KnownApiKey | null)[]> {
  const statement = sql<KnownApiKey>`
    select id, name, role, projects, hostnames, hosts, hash, expires_at,
      extract(epoch from expires_at - clock_timestamp())::double precision * 1000 as remaining_ms
    from api_keys where id = any(${ids}::uuid[])`;
  const { rows } = await executePrepared(db, statement);
  const found = new Map(rows.map((row) => [row.id, row]));
  return ids.map((id) => found.get(id) ?? null);
}

/**
 * Stores when keys were last used. Rows that another replica writes at this moment are left to it.
 * @param ages the milliseconds since each was used
 */
export async function touchApiKeys(db: Kysely<Tables>, ages: ReadonlyMap<string, number>): Promise<void> {
  const used = JSON.stringify([...ages].map(([id, age]) => ({ id, age })));
  await sql`
    update api_keys k
    set last_used_at = greatest(k.last_used_at, clock_timestamp() - make_interval(secs => u.age / 1000))
    from jsonb_to_recordset(${used}::jsonb) as u (id uuid, age double precision)
    where k.id = u.id and k.id in (select id from api_keys where id = any(${[...ages.keys()]}::uuid[])
                                   for no key update skip locked)`.execute(db);
}

/**
 * Locks keys until the transaction ends, so that nobody revokes them meanwhile. The revocation of one that is about to
 * be committed is waited for. Every caller locks in the order of the ids: two admin keys that revoke each other at the
 * same time would otherwise wait for each other.
 * @returns those that are in force, which means neither revoked nor expired
 */
export async function lockApiKeys(trx: Transaction<Tables>, ids: readonly string[]): Promise<ReadonlySet<string>> {
  const { rows } = await sql<{ id: string; is_past: boolean }>`
    select id, coalesce(expires_at <= clock_timestamp(), false) as is_past
    from api_keys where id = any(${ids}::uuid[]) order by id for update`.execute(trx);
  return new Set(rows.filter(({ is_past }) => !is_past).map(({ id }) => id));
}

/**
 * @param createdBy the id of the caller
 * @throws AppError validation-failed where it would have expired already
 */
export async function insertApiKey(
  trx: Transaction<Tables>,
  id: string,
  hash: Buffer,
  createdBy: string,
  { name, role, projects = [], hostnames = null, hosts = null, expiresAt = null }: NewApiKey,
): Promise<ApiKey> {
  const { rows } = await sql<ApiKeyRow & { is_past: boolean }>`
    insert into api_keys (id, name, role, projects, hostnames, hosts, hash, created_by, expires_at)
    values (${id}, ${name}, ${role}, ${projects}, ${hostnames}, ${hosts}, ${hash}, ${createdBy}, ${expiresAt})
    returning *, coalesce(expires_at <= clock_timestamp(), false) as is_past`.execute(trx);
  const [row] = rows as [(typeof rows)[0]];
  if (row.is_past) throw keyExpiredAlready();
  return toApiKey(row);
}

/** @returns whether there was one */
export async function deleteApiKey(db: Kysely<Tables>, id: string): Promise<boolean> {
  const { numDeletedRows } = await db.deleteFrom('api_keys').where('id', '=', id).executeTakeFirst();
  return numDeletedRows > 0n;
}

function toApiKey(row: ApiKeyRow): ApiKey {
  return {
    id: row.id,
    name: row.name,
    role: row.role,
    projects: row.projects,
    hostnames: row.hostnames,
    hosts: row.hosts,
    createdBy: row.created_by,
    createdAt: row.created_at.toISOString(),
    expiresAt: row.expires_at?.toISOString() ?? null,
    lastUsedAt: row.last_used_at?.toISOString() ?? null,
  };
}
