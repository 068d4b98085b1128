// Runs every command of docs/backup.md exactly as it is written there, in the same order.
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type Kysely, sql } from 'kysely';
import pg from 'pg';
import t, { type Test } from 'tap';
import { loadConfig } from '../../src/config.js';
import { connectDatabase } from '../../src/database/connect.js';
import { listTables } from '../../src/database/move.js';
import type { Tables } from '../../src/database/tables.js';
import { packageRoot } from '../../src/package-root.js';
import { makeDataDir, silentLog } from '../helpers/database.js';
import { startDebianPostgres } from '../helpers/debian-postgres.js';
import { startService } from '../helpers/service.js';

const text = await readFile(join(packageRoot, 'docs/backup.md'), 'utf8');
const server = await startDebianPostgres(t);
const folder = await makeDataDir(t);
const dataDir = join(folder, 'data');
const restored = join(folder, 'restored');
const [moved, empty] = [await createDatabase('moved'), await createDatabase('empty')];

async function createDatabase(name: string): Promise<string> {
  const client = new pg.Client({ connectionString: server });
  await client.connect();
  await client.query(`create database ${name}`).finally(() => client.end());
  return server.replace(/postgres$/, name);
}

/** Runs the fenced lines under a heading of the document, in a new folder. */
async function follow(t: Test, heading: string, lines: RegExp, variables: Record<string, string>): Promise<void> {
  const section = text.split(/^## /m).find((part) => part.startsWith(`${heading}\n`)) ?? '';
  const commands = [...section.matchAll(/^```sh\n(.*?)^```$/gms)].map(([, command]) => command).join('');
  t.match(commands, lines, `${heading} has the commands`);
  const npm = `npm() { command npm --prefix ${packageRoot} "$@"; }\n`; // the document assumes the package's folder
  const { stdout, stderr } = await promisify(execFile)('bash', ['-ec', npm + commands], {
    cwd: folder,
    env: { PATH: process.env.PATH, LD_LIBRARY_PATH: process.env.LD_LIBRARY_PATH, HOME: folder, ...variables },
  });
  t.comment(stdout + stderr);
}

async function readAll(variables: Record<string, string>): Promise<Record<string, string[]>> {
  const database = await connectDatabase(loadConfig(variables), silentLog);
  const db: Kysely<Tables> = database.db;
  const content: Record<string, string[]> = {};
  for (const { name } of await listTables(db)) {
    const { rows } = await sql<{ row: string }>`select to_jsonb(t)::text as row from ${sql.table(name)} t`.execute(db);
    content[name] = rows.map(({ row }) => row.replaceAll('+00:00', 'Z')).sort();
  }
  await database.close();
  return content;
}

/** Asserts that the registry has what it had before, and can be used. */
async function demandWorks(t: Test, variables: Record<string, string>): Promise<void> {
  const service = await startService(t, variables).ready();
  t.match(await service.call('PUT', '/v1/projects/consilio/services/api'), { status: 200, body: { port: 3100 } });
  t.match(await service.call('PUT', '/v1/projects/consilio/services/next'), { status: 201, body: { port: 3101 } });
  t.equal(await service.kill('SIGTERM'), 0);
}

t.test('from the first backup to the last restore', async (t) => {
  const service = await startService(t, { DATA_DIR: dataDir }).ready();
  await service.call('PUT', '/v1/projects/consilio/services/api');
  await service.call('POST', '/v1/projects/odin/reservations', { ttlSeconds: 600 });
  const { body } = await service.call('POST', '/v1/projects/odin/allocations', { service: 'gone' });
  await service.call('DELETE', `/v1/allocations/${body.id}`);
  t.equal(await service.kill('SIGTERM'), 0);
  const before = await readAll({ DATA_DIR: dataDir });
  t.match(before, { port_ranges: { length: 7 }, port_allocations: { length: 2 }, port_reservations: { length: 1 } });

  await follow(t, 'The embedded database', /npm run backup.*npm run restore/s, { DATA_DIR: dataDir });
  t.strictSame(await readAll({ DATA_DIR: restored }), before);
  await demandWorks(t, { DATA_DIR: restored });

  const variables = { DATA_DIR: dataDir, POSTGRES_URL: moved };
  await follow(t, 'From the embedded database to PostgreSQL', /npm run move/, variables);
  t.strictSame(await readAll({ DATABASE_URL: moved }), before);
  t.strictSame(await readAll({ DATA_DIR: dataDir }), before, 'the source is as it was');

  await follow(t, 'PostgreSQL', /pg_dump.*pg_restore/s, { DATABASE_URL: moved, EMPTY_DATABASE_URL: empty });
  t.strictSame(await readAll({ DATABASE_URL: empty }), before);
  await demandWorks(t, { DATABASE_URL: empty });
});

t.test('the document contains no other command', async (t) => {
  t.equal([...text.matchAll(/^```/gm)].length, 2 * 5);
});
