import { rmSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PostgreSqlContainer } from '@testcontainers/postgresql';
import pg from 'pg';
import { getContainerRuntimeClient } from 'testcontainers';
import { loadConfig } from '../../src/config.js';
import { connectDatabase } from '../../src/database/connect.js';
import { migrate } from '../../src/database/migrate.js';
import { seed } from '../../src/database/seed.js';
import { startPostgres } from '../postgres.js';
import type { Provided } from './suites.js';

const IMAGE = 'postgres:17-alpine';
/** Tests make their own crashes; what they need of the disk is speed. */
const SETTINGS = { fsync: 'off', max_connections: '300' };

/**
 * The server that TEST_DATABASE_URL names, else one in a container where a Docker engine answers, else one from the
 * binaries in the npm registry. On it, and in a folder for the embedded default, is a database that is migrated and
 * seeded: a test copies it in a moment, where making one takes seconds of a processor.
 */
export async function providePostgres(): Promise<Provided> {
  const dataDir = await mkdtemp(join(tmpdir(), 'port-allocator-template-'));
  process.once('exit', () => rmSync(dataDir, { recursive: true, force: true })); // also after a Ctrl-C
  // Opening the embedded database closes all files that this process and its children make from then on to other users.
  // A server of PostgreSQL may run as another user, and reads a file that is made here, or by a test.
  const umask = process.umask();
  const server = await findServer();
  process.stderr.write(`PostgreSQL for the tests: ${server.from}\n`);
  const template = `template_${process.pid}`;
  const templateUrl = new URL(server.url);
  templateUrl.pathname = `/${template}`;
  await query(server.url, `create database ${template}`);
  await Promise.all([makeTemplate({ DATABASE_URL: templateUrl.href }), makeTemplate({ DATA_DIR: dataDir })]);
  process.umask(umask);
  return {
    variables: { TEST_DATABASE_URL: server.url, TEST_DATA_DIR: dataDir, TEST_TEMPLATE: template },
    async stop() {
      await query(server.url, `drop database ${template}`);
      await server.stop();
    },
  };
}

async function findServer(): Promise<{ from: string; url: string; stop(): Promise<unknown> }> {
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

async function makeTemplate(variables: Record<string, string>): Promise<void> {
  const database = await connectDatabase(loadConfig(variables), quiet);
  await migrate(database, quiet);
  await seed(database.db, 0);
  await database.close();
}

async function query(url: string, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query(statement).finally(() => client.end());
}
