import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Kysely, sql, type Transaction } from 'kysely';
import { StartError } from '../errors.js';
import { packageRoot } from '../package-root.js';
import type { Database, Log } from './connect.js';
import { requireOwnTables, requireRightToCreate, requireServable } from './requirements.js';
import { DEFAULT_SCHEMA } from './server-settings.js';
import { MIGRATIONS_TABLE, type Tables } from './tables.js';

export const migrationsFolder = join(packageRoot, 'migrations');

/**
 * Creates the schema if it is missing, and applies the migrations that are missing, all in one transaction. Replicas
 * that start together wait for one another. A schema that is newer than this code stays as it is.
 * @throws StartError if the database is not fit for a registry, or holds something else; nothing was created then
 */
export async function migrate(
  database: Pick<Database, 'kind' | 'schema' | 'db' | 'withoutLimits'>,
  log: Log,
): Promise<void> {
  await requireServable(database);
  // Without time limits, so that a long migration or a long wait for the lock is not cut short.
  const applied = await database.withoutLimits(async (db) =>
    (await isMigrated(db)) ? [] : db.transaction().execute((trx) => applyMissing(trx, database)),
  );
  for (const migration of applied) log.info({ migration }, 'Migration applied');
}

/** Whether every migration that this code knows has been applied. There may be newer ones. */
export async function isMigrated(db: Kysely<Tables>): Promise<boolean> {
  const applied = new Set((await readApplied(db)) ?? []);
  return (await listMigrations()).every((name) => applied.has(name));
}

/** @returns the names of the migrations that were applied */
async function applyMissing(
  trx: Transaction<Tables>,
  { kind, schema }: Pick<Database, 'kind' | 'schema'>,
): Promise<string[]> {
  const name = schema ?? DEFAULT_SCHEMA;
  // A lock of the transaction and not of the session: behind a pooler, the unlock could meet another session.
  await sql`select pg_advisory_xact_lock(hashtextextended(${`${MIGRATIONS_TABLE} ${name}`}, 0))`.execute(trx);
  await sql`set local search_path = ${sql.id(name)}`.execute(trx); // the functions keep it
  const applied = await readApplied(trx);
  const known = await listMigrations();
  const missing = known.filter((migration) => !applied?.includes(migration));
  if (missing.length === 0) return []; // another replica applied them while this one waited for the lock
  if (applied === null) {
    await requireOwnTables(trx, schema);
    if (kind === 'postgresql') await requireRightToCreate(trx, name);
    await createSchema(trx, name);
  } else {
    requireSameHistory(applied, known, missing);
  }
  for (const migration of missing) {
    const text = await readFile(join(migrationsFolder, `${migration}.sql`), 'utf8');
    await sql
      .raw(text)
      .execute(trx)
      .catch((error) => refuseNameTaken(error, migration));
    await sql`insert into ${sql.table(MIGRATIONS_TABLE)} (name) values (${migration})`.execute(trx);
  }
  return missing;
}

async function createSchema(trx: Transaction<Tables>, name: string): Promise<void> {
  // Where the schema exists, `create schema if not exists` still demands the right to create one.
  const { rows } = await sql`select from pg_namespace where nspname = ${name}`.execute(trx);
  if (rows.length === 0) await sql`create schema ${sql.id(name)}`.execute(trx);
  await sql`
    create table ${sql.table(MIGRATIONS_TABLE)} (
      name text primary key,
      applied_at timestamptz(3) not null default clock_timestamp()
    )`.execute(trx);
}

/** The names of the migrations that were applied. Null if none was, so that there is no table of them. */
async function readApplied(db: Kysely<Tables>): Promise<string[] | null> {
  // Not by to_regclass(): in a transaction that waited for an advisory lock, it answers from a cache of before the wait.
  const { rows: tables } = await sql`
    select from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where n.nspname = current_schema() and c.relname = ${MIGRATIONS_TABLE}`.execute(db);
  if (tables.length === 0) return null;
  const { rows } = await sql<{ name: string }>`select name from ${sql.table(MIGRATIONS_TABLE)}`.execute(db);
  return rows.map(({ name }) => name).sort();
}

/** The names of the `.sql` files of `migrations/`, in the order in which they are applied. */
async function listMigrations(): Promise<string[]> {
  const files = (await readdir(migrationsFolder)).filter((file) => file.endsWith('.sql'));
  return files.map((file) => file.replace(/\.sql$/, '')).sort();
}

/** @throws StartError if what was applied is not the beginning of what this code knows */
function requireSameHistory(applied: string[], known: string[], missing: string[]): void {
  const [next = ''] = missing;
  const odd = applied.find((name) => name > next || !known.includes(name));
  if (odd === undefined) return;
  throw new StartError(
    `The registry was made by another version: it has the migration ${odd} and lacks ${next}. Nothing was changed. ` +
      'Start that version, or make the registry anew as CHANGELOG.md says.',
  );
}

const NAME_TAKEN = new Set([
  '42P07', // duplicate_table: also of an index or a view
  '42710', // duplicate_object: of a type or domain
  '42723', // duplicate_function
]);

function refuseNameTaken(error: Error & { code?: string }, migration: string): never {
  if (!NAME_TAKEN.has(error.code ?? '')) throw error;
  throw new StartError(
    `The schema holds something that the migration ${migration} would create: ${error.message}. Nothing was changed. Set ` +
      'DATABASE_SCHEMA to a schema for the registry alone, which is created, or give it a database of its own.',
    { cause: error },
  );
}
