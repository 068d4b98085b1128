// Runs a command with TEST_DATABASE_URL set: to the one that is given, else to a container where a Docker
// engine answers, else to a server from the binaries in the npm registry.
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PostgreSqlContainer } from '@testcontainers/postgresql';
import pg from 'pg';
import { getContainerRuntimeClient } from 'testcontainers';
import { loadConfig } from '../src/config.js';
import { connectDatabase } from '../src/database/connect.js';
import { migrate } from '../src/database/migrate.js';
import { seed } from '../src/database/seed.js';
import { startPostgres } from './postgres.js';

const IMAGE = 'postgres:17-alpine';
/** Tests make their own crashes; what they need of the disk is speed. */
const SETTINGS = { fsync: 'off', max_connections: '300' };

async function provide(): Promise<{ from: string; url: string; stop(): Promise<unknown> }> {
  const given = process.env.TEST_DATABASE_URL;
  if (given) return { from: 'TEST_DATABASE_URL', url: given, stop: async () => {} };
  if (await dockerAnswers()) {
    const flags = Object.entries(SETTINGS).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
    const container = await new PostgreSqlContainer(IMAGE).withCommand(['postgres', ...flags]).start();
    return { from: `testcontainers (${IMAGE})`, url: container.getConnectionUri(), stop: () => container.stop() };
  }
  const server = await startPostgres(SETTINGS);
  return { from: 'the npm registry', url: server.url, stop: () => server.stop() };
}

function dockerAnswers(): Promise<boolean> {
  return getContainerRuntimeClient().then(
    () => true,
    () => false,
  );
}

const quiet = { info() {}, warn() {} };

/** Migrated and seeded, for tests to copy: to make each anew takes seconds of a processor. */
async function makeTemplate(variables: Record<string, string>): Promise<void> {
  const database = await connectDatabase(loadConfig(variables), quiet);
  await database.withoutLimits((db) => migrate(db, quiet));
  await seed(database.db, 0);
  await database.close();
}

async function query(url: string, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query(statement).finally(() => client.end());
}

const [command = '', ...args] = process.argv.slice(2);
const postgres = await provide();
process.stderr.write(`PostgreSQL for the tests: ${postgres.from}\n`);
const dataDir = await mkdtemp(join(tmpdir(), 'port-allocator-template-'));
await makeTemplate({ DATA_DIR: dataDir });
const template = `template_${process.pid}`;
const templateUrl = new URL(postgres.url);
templateUrl.pathname = `/${template}`;
await query(postgres.url, `create database ${template}`);
await makeTemplate({ DATABASE_URL: templateUrl.href });
const child = spawn(command, args, {
  stdio: 'inherit',
  env: { ...process.env, TEST_DATABASE_URL: postgres.url, TEST_DATA_DIR: dataDir, TEST_TEMPLATE: template },
  shell: process.platform === 'win32',
});
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => child.kill(signal));
const code = await new Promise<number>((resolve) => {
  child.on('error', (error) => {
    process.stderr.write(`${error.message}\n`);
    resolve(127);
  });
  child.on('close', (exitCode) => resolve(exitCode ?? 1));
});
await query(postgres.url, `drop database ${template}`);
await postgres.stop();
await rm(dataDir, { recursive: true, force: true });
process.exit(code);
