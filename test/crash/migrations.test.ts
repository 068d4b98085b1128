import { readdir } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { sql } from 'kysely';
import pg from 'pg';
import t, { type Test } from 'tap';
import { loadConfig } from '../../src/config.js';
import { connectDatabase } from '../../src/database/connect.js';
import { isMigrated, migrate, migrationsFolder } from '../../src/database/migrate.js';
import { prepareDatabase } from '../../src/database/prepare.js';
import { seed, seedIfNew, seedRanges } from '../../src/database/seed.js';
import { createDatabase, databases, openPostgres, silentLog } from '../helpers/database.js';
import { readRegistry } from '../helpers/rows.js';
import { runCommand, startService } from '../helpers/service.js';

const names = (await readdir(migrationsFolder)).map((file) => file.replace('.sql', '')).sort();

t.test('a schema', async (t) => {
  const url = await createDatabase(t);
  const connect = async () => {
    const database = await connectDatabase(loadConfig({ DATABASE_URL: url }), silentLog);
    t.teardown(() => database.close());
    return database;
  };
  const database = await connect();
  const { db } = database;
  const applied: object[] = [];
  const log = { info: (data: object) => void applied.push(data), warn() {} };

  t.test('is not migrated at first', async (t) => t.equal(await isMigrated(db), false));

  t.test('is migrated once by replicas that start together', async (t) => {
    const others = await Promise.all([connect(), connect(), connect()]);
    await Promise.all([database, ...others].map((replica) => migrate(replica, log)));
    t.strictSame(
      applied,
      names.map((migration) => ({ migration })),
    );
    t.equal(await isMigrated(db), true);
  });

  t.test('is left as it is by another migration', async (t) => {
    await seed(db, 0);
    const before = await readRegistry(db);
    await migrate(database, log);
    t.equal(applied.length, names.length);
    t.equal(await readRegistry(db), before);
  });

  t.test('is left alone when it is newer than the code', async (t) => {
    await sql`insert into port_allocator_migrations (name) values ('9999_future')`.execute(db);
    await migrate(database, log);
    t.equal(await isMigrated(db), true);
    const { rows } = await sql<{ name: string }>`select name from port_allocator_migrations order by name`.execute(db);
    t.strictSame(
      rows.map((row) => row.name),
      [...names, '9999_future'],
    );
  });
});

t.test('no time limit applies to migrating', async (t) => {
  const LIMIT_MS = 3000; // connecting has the same limit, and takes a while on a busy machine
  const limits = { REQUEST_TIMEOUT_MS: `${LIMIT_MS}`, LOCK_TIMEOUT_MS: `${LIMIT_MS}` };

  async function connect(t: Test) {
    const variables = { DATABASE_URL: await createDatabase(t), ...limits };
    const psql = new pg.Client({ connectionString: variables.DATABASE_URL });
    await psql.connect();
    t.teardown(() => psql.end());
    return { variables, psql };
  }

  t.test('a migration may take longer than a request', async (t) => {
    const { variables, psql } = await connect(t);
    await psql.query(`create function wait() returns event_trigger language plpgsql as
      $$ begin perform pg_sleep(${(2 * LIMIT_MS) / 1000}); end $$`);
    await psql.query(
      "create event trigger slow on ddl_command_start when tag in ('CREATE VIEW') execute function wait()",
    );
    t.match(await runCommand(t, ['migrate'], variables), { code: 0, output: /The schema is up to date/ });
    t.equal((await psql.query('select from port_allocator_migrations')).rowCount, names.length);
  });

  t.test('replicas wait for the one that migrates', async (t) => {
    const { variables, psql } = await connect(t);
    const lock = "hashtextextended('port_allocator_migrations public', 0)";
    await psql.query(`select pg_advisory_lock(${lock})`);
    const waiting = [
      runCommand(t, ['migrate'], variables),
      runCommand(t, ['seed'], variables),
      startService(t, variables).ready(),
    ] as const;
    const wait = "select from pg_locks where locktype = 'advisory' and not granted";
    while ((await psql.query(wait)).rowCount !== waiting.length) await sleep(20);
    await sleep(2 * LIMIT_MS);
    t.equal((await psql.query(wait)).rowCount, waiting.length, 'they still wait');
    await psql.query(`select pg_advisory_unlock(${lock})`);
    const [migrated, seeded, service] = await Promise.all(waiting);
    t.match([migrated, seeded], [{ code: 0 }, { code: 0, output: /Inserted 7 ranges/ }]);
    t.notMatch(service.output(), /Waiting for the database/);
    t.equal(await service.kill('SIGTERM'), 0);
  });
});

for (const [name, open] of databases) {
  t.test(`on ${name}, work without limits sees the same database, and ends only itself`, async (t) => {
    const { db, withoutLimits } = await open(t);
    t.equal(await withoutLimits(isMigrated), true);
    await t.rejects(
      withoutLimits(() => Promise.reject(new Error('the work’s own'))),
      { message: 'the work’s own' },
    );
    t.equal(await isMigrated(db), true);
  });
}

t.test('an error that waiting would not resolve ends the start', async (t) => {
  const database = await openPostgres(t);
  const config = { migrateOnStart: true, seedOnStart: true, reuseCooldownSeconds: 0 };
  await sql`drop table port_allocations cascade`.execute(database.db);
  await sql`delete from port_allocator_migrations where name > '0001_names_and_hosts'`.execute(database.db);
  const signal = AbortSignal.timeout(5000);
  await t.rejects(prepareDatabase(database, config, silentLog, signal), { name: 'StartError', message: /port_ranges/ });
  const missing = Object.assign(new Error('no such file'), { code: 'ENOENT', syscall: 'scandir' });
  const broken = { ...database, withoutLimits: () => Promise.reject(missing) };
  await t.rejects(prepareDatabase(broken, config, silentLog, signal), missing, 'a folder that is not there');
});

t.test('seeding', async (t) => {
  const { db } = await openPostgres(t);

  t.test('is repeatable', async (t) => {
    const before = await readRegistry(db);
    t.equal(await seed(db, 60), 0);
    t.equal(await readRegistry(db), before);
  });

  t.test('never overwrites what is there, and fills the rest', async (t) => {
    await sql`delete from port_ranges where start_port in (3000, 3100, 3200, 9000)`.execute(db);
    await sql`insert into port_ranges (start_port, end_port, project, description) values
      (3000, 3099, 'mine', 'kept'), (9500, 9599, 'mine', 'in the way of the shared range')`.execute(db);
    t.equal(await seed(db, 60), 2);
    const { rows } = await sql<{ range: string }>`
      select start_port || ' ' || project || ' ' || reuse_cooldown_seconds as range
      from port_ranges order by start_port`.execute(db);
    t.strictSame(
      rows.map((row) => row.range),
      [
        '3000 mine 0',
        '3100 consilio 60',
        '3200 openhorizon 60',
        '3300 odin 0',
        '3400 health-agent 0',
        '3500 quiculum-monitor 0',
        '9500 mine 0',
      ],
    );
  });

  t.test('at a start is for a new registry only: a range that was deleted does not come back', async (t) => {
    await sql`delete from port_ranges where start_port <> 3300`.execute(db);
    t.equal(await seedIfNew(db, 0), 0);
    await sql`delete from port_ranges`.execute(db);
    await sql`insert into port_allocations (port, project, service, status, released_at) values
      (3000, 'old', 'a', 'released', now())`.execute(db);
    t.equal(await seedIfNew(db, 0), 0, 'history counts');
    await sql`delete from port_allocations`.execute(db);
    t.equal(await seedIfNew(db, 0), seedRanges.length);
  });
});
