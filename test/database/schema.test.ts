// DATABASE_SCHEMA: the registry lives in a schema of its own, for the service and for people at a psql prompt.
import { sql } from 'kysely';
import pg from 'pg';
import t from 'tap';
import { loadConfig } from '../../src/config.js';
import { connectDatabase } from '../../src/database/connect.js';
import { isMigrated, migrate } from '../../src/database/migrate.js';
import { seed } from '../../src/database/seed.js';
import { lockName } from '../../src/repositories/idempotency-keys.js';
import { makeApp, requester } from '../helpers/app.js';
import { createDatabase, silentLog } from '../helpers/database.js';

const url = await createDatabase(t);
const psql = new pg.Client({ connectionString: url });
await psql.connect();
t.teardown(() => psql.end());
await psql.query('create table port_ranges (note text); create table kysely_migration (id integer)');

async function open(schema: string) {
  const database = await connectDatabase(loadConfig({ DATABASE_URL: url, DATABASE_SCHEMA: schema }), silentLog);
  t.teardown(() => database.close());
  await migrate(database, silentLog);
  await seed(database.db, 0);
  return { ...database, request: requester(await makeApp(t, database)) };
}
const [one, two] = await Promise.all([open('one'), open('two')]);

t.test('two registries in one database do not meet, nor tables of the same name in public', async (t) => {
  t.equal(await isMigrated(one.db), true);
  t.match(await one.request('PUT', '/v1/projects/odin/services/web'), { status: 201, body: { port: 3300 } });
  t.match(await two.request('GET', '/v1/projects/odin/services/web'), { status: 404 });
  t.match(await two.request('PUT', '/v1/projects/odin/services/api'), { status: 201, body: { port: 3300 } });
  t.same((await psql.query('select from public.port_ranges')).rowCount, 0);
});

t.test('functions and views work with the schema in front of their names, whatever the search_path is', async (t) => {
  for (const path of ['public', "''", 'two']) {
    await psql.query(`set search_path = ${path}`);
    const port = async (call: string) => (await psql.query(`select one.${call} as value`)).rows[0]?.value;
    t.equal(await port("find_available_port('consilio')"), 3100);
    t.equal(await port("allocate_port('consilio', 'web')"), 3100);
    t.match(await one.request('GET', '/v1/projects/consilio/services/web'), { status: 200, body: { port: 3100 } });
    t.match(await two.request('GET', '/v1/projects/consilio/services/web'), { status: 404 });
    const utilization = "select allocated_ports from one.port_range_utilization where project = 'consilio'";
    t.same((await psql.query(utilization)).rows, [{ allocated_ports: 1 }]);
    t.equal((await psql.query("select from one.active_port_allocations where project = 'consilio'")).rowCount, 1);
    t.equal(await port("free_ports('consilio', 'localhost', 'tcp', 1)"), 3101);
    t.equal(await port("next_port_available_at('consilio', 'localhost', 'tcp')"), null);
    t.equal(await port('release_port(3100)'), true);
    t.equal(await port('cleanup_expired_reservations()'), 0);
  }
  await psql.query('set search_path = two');
  t.equal(
    (await psql.query("select allocate_port('consilio', 'web') as port")).rows[0].port,
    3100,
    'with the path set',
  );
  t.match(await two.request('GET', '/v1/projects/consilio/services/web'), { status: 200 });
});

t.test('a lock of the same name is another one in each registry', async (t) => {
  await one.db.transaction().execute(async (first) => {
    await lockName(first, 'creations');
    await two.db.transaction().execute(async (second) => {
      await sql`set local lock_timeout = 100`.execute(second);
      await lockName(second, 'creations');
    });
    const third = one.db.transaction().execute(async (again) => {
      await sql`set local lock_timeout = 100`.execute(again);
      await lockName(again, 'creations');
    });
    await t.rejects(third, { code: '55P03' });
  });
});
