// The command that moves a registry from the embedded database to PostgreSQL, in real processes, and what can go wrong.
import { setTimeout as sleep } from 'node:timers/promises';
import { sql } from 'kysely';
import pg from 'pg';
import t, { type Test } from 'tap';
import { loadConfig } from '../../src/config.js';
import { connectDatabase } from '../../src/database/connect.js';
import { migrate } from '../../src/database/migrate.js';
import { createDatabase, makeDataDir, silentLog } from '../helpers/database.js';
import { runCommand, startProcess, startService } from '../helpers/service.js';

const HISTORY_ROWS = 40_000;
/**
 * With nothing to move the process takes 130 MiB. As text, the history alone is several times as large as this limit.
 */
const MEMORY_LIMIT_MB = 64;

async function connect(t: Test, connectionString: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString });
  await client.connect();
  t.teardown(() => client.end());
  return client;
}

t.test('a registry in use moves to PostgreSQL, and can be used there', async (t) => {
  const dataDir = await makeDataDir(t);
  const url = await createDatabase(t);
  const psql = await connect(t, url);
  const move = () => runCommand(t, ['move'], { DATA_DIR: dataDir, DATABASE_URL: url });

  t.match(await move(), { code: 1, output: /holds no registry\. Set DATA_DIR/ });
  t.match(await runCommand(t, ['move'], { DATA_DIR: dataDir }), { code: 1, output: /^Set DATABASE_URL to/ });

  const service = await startService(t, { DATA_DIR: dataDir }).ready();
  t.equal((await service.call('PUT', '/v1/projects/consilio/services/api')).body.port, 3100);
  const before = await service.call('GET', '/v1/allocations');
  t.match(await move(), {
    code: 1,
    output: new RegExp(`in use by another .*pid ${service.child.pid}.* stop it first`),
  });
  t.equal((await psql.query("select to_regclass('port_ranges') as oid")).rows[0].oid, null, 'the target is untouched');
  t.equal(await service.kill('SIGTERM'), 0);

  const moved = await move();
  t.match(moved, { code: 0, output: /Moved \d+ rows\. Run everything/ });
  const replica = await startService(t, { DATABASE_URL: url }).ready();
  t.same((await replica.call('GET', '/v1/allocations')).body, before.body);
  t.match(await replica.call('PUT', '/v1/projects/consilio/services/api'), { status: 200, body: { port: 3100 } });
  t.match(await replica.call('PUT', '/v1/projects/consilio/services/web'), { status: 201, body: { port: 3101 } });
  t.match(await move(), { code: 1, output: /is not empty: it has rows in .*port_allocations.*Nothing was moved/ });
  t.equal(await replica.kill('SIGTERM'), 0);

  const left = await startService(t, { DATA_DIR: dataDir }).ready();
  t.same((await left.call('GET', '/v1/allocations')).body, before.body, 'the source is as it was');
  t.equal(await left.kill('SIGTERM'), 0);
});

t.test('a move that is killed leaves the target empty, and the next one moves everything', async (t) => {
  const dataDir = await makeDataDir(t);
  const source = await connectDatabase(loadConfig({ DATA_DIR: dataDir }), silentLog);
  await migrate(source, silentLog);
  await sql`
    insert into port_allocations (port, project, service, status, released_at, metadata)
    select 3000 + i % 100, 'alpha', 's' || i, 'released', clock_timestamp(), jsonb_build_object('text', repeat('x', 1000))
    from generate_series(1, ${sql.lit(HISTORY_ROWS)}) i`.execute(source.db);
  await source.close();
  const url = await createDatabase(t);
  const psql = await connect(t, url);
  const variables = {
    DATA_DIR: dataDir,
    DATABASE_URL: url,
    NODE_OPTIONS: `--max-old-space-size=${MEMORY_LIMIT_MB}`,
  };

  const killed = startProcess(t, 'src/cli/index.js', variables, ['move']);
  const writing =
    "select from pg_stat_activity where datname = current_database() and query like '%insert into %port_allocations%' and pid <> pg_backend_pid()";
  while ((await psql.query(writing)).rowCount === 0) await sleep(5);
  killed.child.kill('SIGKILL');
  t.equal(await killed.exited, null);
  const others = 'select from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()';
  while ((await psql.query(others)).rowCount !== 0) await sleep(20);
  t.equal((await psql.query('select from port_allocations')).rowCount, 0);

  const began = performance.now();
  t.match(await runCommand(t, ['move', '--json'], variables), {
    code: 0,
    output: `"port_allocations": ${HISTORY_ROWS}`,
  });
  t.comment(`${HISTORY_ROWS} rows in ${((performance.now() - began) / 1000).toFixed(1)} s`);
  t.equal((await psql.query('select from port_allocations')).rowCount, HISTORY_ROWS);
});
