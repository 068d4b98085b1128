import { randomBytes } from 'node:crypto';
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sql } from 'kysely';
import pg from 'pg';
import type { Test } from 'tap';
import { loadConfig } from '../../src/config.js';
import { connectDatabase, type Database } from '../../src/database/connect.js';
import { migrate } from '../../src/database/migrate.js';
import { seed } from '../../src/database/seed.js';

export const silentLog = { info() {}, warn() {} };

export function postgresUrl(): string {
  const url = process.env.TEST_DATABASE_URL;
  if (!url) throw new Error('TEST_DATABASE_URL is not set: run the tests with `npm test -- FILE`');
  return url;
}

/**
 * Creates an empty PostgreSQL database, or a copy of `template`. It is dropped when the test ends. Returns its URL.
 * @param options further options of `create database`
 */
export async function createDatabase(t: Test, template = 'template1', options = ''): Promise<string> {
  const url = new URL(postgresUrl());
  const name = `test_${randomBytes(8).toString('hex')}`;
  await admin(`create database ${name} template ${template} ${options}`);
  t.teardown(() => dropDatabase(name));
  url.pathname = `/${name}`;
  return url.href;
}

const OBJECT_IN_USE = '55006';

/**
 * Drops a database, first without force. A pool reports its end before its connections are closed, and a forced drop
 * would end these with an error that nobody handles any more. Without force, PostgreSQL waits up to 5 s for them. With
 * force it waits as long for the connections that it ends, so that may take several attempts.
 */
async function dropDatabase(name: string, option = '', attempts = 6): Promise<void> {
  try {
    await admin(`drop database if exists ${name} ${option}`);
  } catch (error) {
    if ((error as { code?: string }).code !== OBJECT_IN_USE || attempts <= 1) throw error;
    await dropDatabase(name, 'with (force)', attempts - 1);
  }
}

async function admin(statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: postgresUrl() });
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}

/** Opens a migrated and seeded PostgreSQL database. The connection is closed when the test ends. */
export async function openPostgres(t: Test, url?: string): Promise<Database> {
  return open(t, { DATABASE_URL: url ?? (await createDatabase(t, process.env.TEST_TEMPLATE)) });
}

/**
 * Keeps autovacuum away from every table of a registry, for tests of what the planner knows and of what is read. While it
 * analyses any of them, no index entry that dies is removed, and is read again and again.
 */
export async function withoutAutovacuum(db: Database['db']): Promise<void> {
  const { rows } = await sql<{ name: string }>`
    select tablename as name from pg_tables where schemaname = current_schema()`.execute(db);
  for (const { name } of rows) {
    await sql`alter table ${sql.table(name)} set (autovacuum_enabled = false)`.execute(db);
  }
}

/** Opens one database twice, each with its own pool of connections, as two replicas do. */
export async function openReplicas(t: Test): Promise<[Database['db'], Database['db']]> {
  const url = await createDatabase(t, process.env.TEST_TEMPLATE);
  const first = await openPostgres(t, url);
  return [first.db, (await openPostgres(t, url)).db];
}

/** Opens an embedded database in a directory of its own, copied from one that was migrated and seeded before. */
export async function openEmbedded(t: Test): Promise<Database> {
  return open(t, { DATA_DIR: await makeSeededDir(t) });
}

/** A data folder with a database. It opens within a second, while creating one takes many on a busy machine. */
export async function makeSeededDir(t: Test): Promise<string> {
  const folder = await makeDataDir(t);
  const template = process.env.TEST_DATA_DIR;
  if (template) await cp(join(template, 'database'), join(folder, 'database'), { recursive: true });
  return folder;
}

export async function makeDataDir(t: Test): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'port-allocator-test-'));
  // Removing is retried, because a process that is being killed may still write files into the folder.
  t.teardown(() => rm(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 }));
  return folder;
}

/** Both kinds of databases, for tests that run on each. */
export const databases: [name: string, open: (t: Test) => Promise<Database>][] = [
  ['PostgreSQL', openPostgres],
  ['the embedded default', openEmbedded],
];

async function open(t: Test, variables: Record<string, string>): Promise<Database> {
  const database = await connectDatabase(loadConfig(variables), silentLog);
  t.teardown(() => database.close());
  await migrate(database, silentLog);
  await seed(database.db, 0);
  return database;
}
