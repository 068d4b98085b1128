// Behind a real PgBouncer in transaction mode, where each transaction may run in another session of PostgreSQL.
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import t, { type Test } from 'tap';
import { createDatabase, postgresUrl } from '../helpers/database.js';
import { Load } from '../helpers/load.js';
import { startPgBouncer } from '../helpers/pgbouncer.js';
import { runCommand, startService } from '../helpers/service.js';

const CALLERS = 150;
const PORTS = 100;
const KILLS = 5;
const LOCK_TIMEOUT_MS = 500;

const throughPgBouncer = await startPgBouncer(t, postgresUrl());
const url = await createDatabase(t);
const pooled = throughPgBouncer(url);
const direct = await connect(t, url);

async function connect(t: Test, connectionString: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString });
  await client.connect();
  t.teardown(() => client.end());
  return client;
}

async function countAdvisoryLocks(client: pg.Client): Promise<number | null> {
  const ofThisDatabase = 'database = (select oid from pg_database where datname = current_database())';
  return (await client.query(`select from pg_locks where locktype = 'advisory' and ${ofThisDatabase}`)).rowCount;
}

t.test('a client gets another session while its last one is taken, and its named statement is lost', async (t) => {
  const client = await connect(t, pooled);
  const pidOf = async (client: pg.Client) => (await client.query('select pg_backend_pid() as pid')).rows[0].pid;
  await client.query('begin');
  const last = await pidOf(client);
  await client.query({ name: 'one', text: 'select 1' });
  await client.query('commit');
  const others: pg.Client[] = [];
  for (;;) {
    const holder = await connect(t, pooled);
    await holder.query('begin');
    if ((await pidOf(holder)) === last) break;
    others.push(holder);
  }
  for (const other of others) await other.query('rollback');
  t.not(await pidOf(client), last);
  await t.rejects(client.query({ name: 'one', text: 'select 1' }), /prepared statement "one" does not exist/);
});

t.test('replicas that start together migrate once, and leave no lock behind', async (t) => {
  const variables = { DATABASE_URL: pooled, SEED_ON_START: 'true', LOCK_TIMEOUT_MS: String(LOCK_TIMEOUT_MS) };
  const replicas = [startService(t, variables), startService(t, variables)] as const;
  await Promise.all(replicas.map((replica) => replica.ready()));
  t.equal(await countAdvisoryLocks(direct), 0);

  t.test(`${CALLERS} callers race for ${PORTS} ports, over both`, async (t) => {
    const answers = await Promise.all(
      Array.from({ length: CALLERS }, (_, i) =>
        (replicas[i % 2] ?? replicas[0]).call('PUT', `/v1/projects/consilio/services/s${i}`),
      ),
    );
    const ports = answers.filter(({ status }) => status === 201).map(({ body }) => body.port);
    t.same(
      ports.sort((a, b) => a - b),
      Array.from({ length: PORTS }, (_, i) => 3100 + i),
    );
    const refused = answers.filter(({ status }) => status !== 201);
    t.ok(refused.every(({ status, body }) => status === 409 && body.code === 'range-exhausted'));
    const found = await Promise.all(
      answers.map((_, i) => replicas[0].call('GET', `/v1/projects/consilio/services/s${i}`)),
    );
    t.same(
      found.map(({ body }) => body.port),
      answers.map(({ body }) => body.port),
    );
  });

  t.test('a project that somebody holds is busy, and no other; the limit stays in its transaction', async (t) => {
    const holder = await connect(t, url);
    await holder.query("begin; select from port_ranges where project = 'odin' for update");
    const began = Date.now();
    const [busy, free] = await Promise.all([
      replicas[0].call('PUT', '/v1/projects/odin/services/web'),
      replicas[0].call('PUT', '/v1/projects/openhorizon/services/web'),
    ]);
    t.match(
      [busy, free],
      [
        { status: 503, body: { code: 'project-busy' } },
        { status: 201, body: { port: 3200 } },
      ],
    );
    t.ok(Date.now() - began >= LOCK_TIMEOUT_MS);
    await holder.query('rollback');
    const clients = await Promise.all(Array.from({ length: 5 }, () => connect(t, pooled)));
    const shown = clients.map((client) => client.query('show lock_timeout; select pg_sleep(0.1)'));
    for (const [limit] of (await Promise.all(shown)) as unknown as pg.QueryResult[][]) {
      t.same(limit?.rows, [{ lock_timeout: '0' }]);
    }
  });

  t.test('killed backends lose nothing that was acknowledged', async (t) => {
    const loads = replicas.map((replica) => new Load(() => replica, { project: 'shared-services', callers: 4 }));
    const acknowledged = () => loads.reduce((sum, load) => sum + load.acknowledged.size, 0);
    for (let i = 0; i < KILLS; i++) {
      for (const enough = acknowledged() + 50; acknowledged() < enough; ) await sleep(20);
      await direct.query(
        'select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()',
      );
    }
    for (const enough = acknowledged() + 50; acknowledged() < enough; ) await sleep(20);
    for (const load of loads) await load.stop();
    for (const load of loads) {
      t.comment(Object.fromEntries(load.outcomes));
      t.same(await load.findBrokenPromises(replicas[0]), []);
      const unexpected = [...load.outcomes.keys()].filter(
        (outcome) => !['201', '200', 'database-unavailable', 'range-exhausted'].includes(outcome),
      );
      t.same(unexpected, []);
    }
    for (const replica of replicas) t.equal(await replica.kill('SIGTERM'), 0);
  });
});

t.test('a migration that fails leaves nothing behind, no lock either', async (t) => {
  const target = await createDatabase(t);
  const psql = await connect(t, target);
  await psql.query('create domain transport_protocol as text'); // makes the first migration fail
  const variables = { DATABASE_URL: throughPgBouncer(target) };
  t.match(await runCommand(t, ['migrate'], variables), {
    code: 1,
    output: /0001_names_and_hosts.*type "transport_protocol" already exists/,
  });
  t.equal((await psql.query("select to_regclass('port_ranges') as oid")).rows[0].oid, null);
  t.equal(await countAdvisoryLocks(psql), 0);
  await psql.query('drop domain transport_protocol');
  t.match(await runCommand(t, ['migrate'], variables), { code: 0, output: /The schema is up to date/ });
});

t.test('registries in two schemas share the sessions, and do not meet', async (t) => {
  const target = throughPgBouncer(await createDatabase(t));
  const variables = { DATABASE_URL: target, SEED_ON_START: 'true' };
  const [first, second] = await Promise.all(
    ['one', 'two'].map((schema) => startService(t, { ...variables, DATABASE_SCHEMA: schema }).ready()),
  );
  const names = Array.from({ length: 30 }, (_, i) => `s${i}`);
  await Promise.all(names.map((name) => first?.call('PUT', `/v1/projects/odin/services/${name}`)));
  const found = await Promise.all(
    names.flatMap((name) =>
      [first, second].map((service) => service?.call('GET', `/v1/projects/odin/services/${name}`)),
    ),
  );
  t.same(
    found.map((answer) => answer?.status),
    names.flatMap(() => [200, 404]),
  );
  const described = await Promise.all([first, second].map((service) => service?.call('GET', '/v1/ports/3300')));
  t.same(
    described.map((answer) => answer?.body.state),
    ['allocated', 'free'],
  );
});
