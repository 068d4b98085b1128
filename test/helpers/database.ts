import { randomBytes } from 'node:crypto';
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
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

/** An empty PostgreSQL database, or a copy of `template`, dropped when the test ends. Returns its URL. */
export async function createDatabase(t: Test, template = 'template1'): Promise<string> {
  const url = new URL(postgresUrl());
  const name = `test_${randomBytes(8).toString('hex')}`;
  await admin(`create database ${name} template ${template}`);
  t.teardown(() => dropDatabase(name));
  url.pathname = `/${name}`;
  return url.href;
}

const OBJECT_IN_USE = '55006';

/**
 * A pool says that it has ended before its connections are closed, and a forced drop would end those with an
 * error that nobody handles any more. So PostgreSQL is first let wait for them, which it does for 5 s, and so
 * long again for what force ends.
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

/** Migrated and seeded, closed when the test ends. */
export async function openPostgres(t: Test, url?: string): Promise<Database> {
  return open(t, { DATABASE_URL: url ?? (await createDatabase(t, process.env.TEST_TEMPLATE)) });
}

/** Two replicas' connections to one database, of which each has a pool of its own. */
export async function openReplicas(t: Test): Promise<[Database['db'], Database['db']]> {
  const url = await createDatabase(t, process.env.TEST_TEMPLATE);
  const first = await openPostgres(t, url);
  return [first.db, (await openPostgres(t, url)).db];
}

/** The embedded default in a directory of its own, copied from one that was migrated and seeded before. */
export async function openEmbedded(t: Test): Promise<Database> {
  return open(t, { DATA_DIR: await makeSeededDir(t) });
}

/** Opens in a second, where an empty one takes many on a busy machine. */
export async function makeSeededDir(t: Test): Promise<string> {
  const folder = await makeDataDir(t);
  const template = process.env.TEST_DATA_DIR;
  if (template) await cp(join(template, 'database'), join(folder, 'database'), { recursive: true });
  return folder;
}

export async function makeDataDir(t: Test): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'port-allocator-test-'));
  // Retried where it fills again meanwhile: a process that is being killed may still be writing.
  t.teardown(() => rm(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 }));
  return folder;
}

/** Both kinds, for tests that run on each. */
export const databases: [name: string, open: (t: Test) => Promise<Database>][] = [
  ['PostgreSQL', openPostgres],
  ['the embedded default', openEmbedded],
];

async function open(t: Test, variables: Record<string, string>): Promise<Database> {
  const database = await connectDatabase(loadConfig(variables), silentLog);
  t.teardown(() => database.close());
  await migrate(database.db, silentLog);
  await seed(database.db, 0);
  return database;
}
