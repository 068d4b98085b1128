import pg from 'pg';
import type { Test } from 'tap';
import { loadConfig } from '../../src/config.js';
import { connectDatabase, type Database } from '../../src/database/connect.js';
import { prepareDatabase } from '../../src/database/prepare.js';
import { silentLog } from './database.js';

/** Prepares a database as the service does when it starts. @returns 'started', or the message of the refusal */
export async function refusalOf(t: Test, url: string, variables: Record<string, string> = {}): Promise<string> {
  const config = { migrateOnStart: true, seedOnStart: false, reuseCooldownSeconds: 0 };
  try {
    const database = await connect(t, url, variables);
    await prepareDatabase(database, config, silentLog, AbortSignal.timeout(20_000));
    return 'started';
  } catch (error) {
    if ((error as Error).name === 'StartError') return (error as Error).message;
    throw error;
  }
}

export async function connect(t: Test, url: string, variables: Record<string, string> = {}): Promise<Database> {
  const database = await connectDatabase(loadConfig({ DATABASE_URL: url, ...variables }), silentLog);
  t.teardown(() => database.close());
  return database;
}

/** Executes statements. @returns the values of each statement's rows */
export async function psql(url: string, ...statements: string[]): Promise<unknown[][]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  const results: unknown[][] = [];
  try {
    for (const text of statements) results.push((await client.query({ text, rowMode: 'array' })).rows.flat());
  } finally {
    await client.end();
  }
  return results;
}

/** Lists the tables of all schemas, in order. */
export const LIST_TABLES =
  "select schemaname || '.' || tablename from pg_tables where schemaname !~ '^(pg_|information_schema$)' order by 1";
