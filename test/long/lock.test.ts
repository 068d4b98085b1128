// Commands read the state of a project after they have its lock, so they see what other transactions committed while
// they waited for it.
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import t from 'tap';
import { seed } from '../../src/database/seed.js';
import { makeApp, requester } from '../helpers/app.js';
import { createDatabase, openPostgres } from '../helpers/database.js';
import { emptyRegistry, findViolations } from '../helpers/registry.js';

const url = await createDatabase(t);
const { db } = await openPostgres(t, url);
const request = requester(await makeApp(t, { db }));
const psql = new pg.Pool({ connectionString: url });
t.teardown(() => psql.end());

t.beforeEach(async () => {
  await emptyRegistry(db);
  await seed(db, 0);
});

/** Runs `inside` in a transaction that locks the project's ranges, and `call` meanwhile. Returns both results. */
async function whileLocked<T>(
  project: string,
  call: () => Promise<T>,
  inside: (client: pg.PoolClient) => Promise<void>,
): Promise<T> {
  const client = await psql.connect();
  try {
    await client.query('begin');
    await client.query('select from port_ranges where project = $1 order by start_port for update', [project]);
    const answer = call();
    await untilWaiting(1);
    await inside(client);
    await client.query('commit');
    return await answer;
  } finally {
    client.release();
  }
}

/** Waits until this many connections wait for a lock. */
async function untilWaiting(count: number): Promise<void> {
  for (;;) {
    const { rows } = await psql.query(
      "select count(*)::integer as count from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'",
    );
    if (rows[0].count >= count) return;
    await sleep(10);
  }
}

const hold = (client: pg.PoolClient, port: number, service: string) =>
  client.query('insert into port_allocations (port, project, service) values ($1, $2, $3)', [
    port,
    'consilio',
    service,
  ]);
const allocateInSql = async () => (await psql.query("select allocate_port('consilio', 'mine') as port")).rows[0].port;
const allocateOverHttp = async () =>
  (await request('POST', '/v1/projects/consilio/allocations', { service: 'mine' })).body.port;

for (const [name, allocate] of [
  ['the service', allocateOverHttp],
  ['allocate_port()', allocateInSql],
] as const) {
  t.test(`${name} sees the allocation that was committed while it waited, and takes the next port`, async (t) => {
    t.equal(await whileLocked('consilio', allocate, async (client) => void (await hold(client, 3100, 'other'))), 3101);
  });

  t.test(`${name} sees the release that was committed while it waited, and takes the port again`, async (t) => {
    for (const service of ['a', 'b', 'c']) await request('PUT', `/v1/projects/consilio/services/${service}`);
    const release = (client: pg.PoolClient) => client.query('select release_port(3101)');
    t.equal(await whileLocked('consilio', allocate, async (client) => void (await release(client))), 3101);
  });

  t.test(`${name} takes a port whose reservation expired while it waited`, async (t) => {
    await psql.query(`insert into port_reservations (port, project, expires_at)
      values (3100, 'consilio', clock_timestamp() + interval '300 ms')`);
    t.equal(await whileLocked('consilio', allocate, () => sleep(400)), 3100);
  });

  t.test(`${name} takes a port whose cooldown ended while it waited`, async (t) => {
    await psql.query("update port_ranges set reuse_cooldown_seconds = 1 where project = 'consilio'");
    const { body } = await request('PUT', '/v1/projects/consilio/services/other');
    await request('DELETE', `/v1/allocations/${body.id}`);
    t.equal(await whileLocked('consilio', allocate, () => sleep(1100)), 3100);
  });

  t.test(`${name} dates an allocation after the transaction that it waited for`, async (t) => {
    let committing = new Date(0);
    await whileLocked('consilio', allocate, async (client) => {
      await sleep(200);
      committing = await readClock(client);
    });
    const { rows } = await psql.query("select allocated_at from port_allocations where service = 'mine'");
    t.ok(rows[0].allocated_at >= committing);
  });
}

t.test('a key that was allocated while the caller waited is the one that it gets', async (t) => {
  const get = () => request('PUT', '/v1/projects/consilio/services/api');
  const answer = await whileLocked('consilio', get, async (client) => void (await hold(client, 3142, 'api')));
  t.equal(answer.status, 200);
  t.equal(answer.body.port, 3142);
});

t.test('a particular port that was taken while the caller waited is refused', async (t) => {
  const take = () => request('POST', '/v1/projects/consilio/allocations', { service: 'mine', port: 3105 });
  const answer = await whileLocked('consilio', take, async (client) => void (await hold(client, 3105, 'other')));
  t.match(answer.body, { code: 'port-taken', holder: { service: 'other' } });
});

t.test('a range that was deleted while the caller waited gives no port', async (t) => {
  const answer = await whileLocked(
    'odin',
    () => request('PUT', '/v1/projects/odin/services/api'),
    async (client) => {
      await client.query("delete from port_ranges where project = 'odin'");
    },
  );
  t.equal(answer.body.code, 'project-not-found');
});

t.test('a range in which a port was allocated while the caller waited is not deleted', async (t) => {
  const remove = () => request('DELETE', '/v1/ranges/3100');
  const answer = await whileLocked('consilio', remove, async (client) => void (await hold(client, 3100, 'other')));
  t.equal(answer.body.code, 'range-in-use');
});

for (const [name, release] of [
  ['the service', (id: string) => request('DELETE', `/v1/allocations/${id}`)],
  ['release_port()', () => psql.query('select release_port(3100)')],
] as const) {
  t.test(`${name} dates a release after the transaction that it waited for, and not when it was asked`, async (t) => {
    const { body: held } = await request('PUT', '/v1/projects/consilio/services/api');
    let committing = new Date(0);
    await whileLocked<unknown>(
      'consilio',
      () => release(held.id),
      async (client) => {
        await sleep(200);
        committing = await readClock(client);
      },
    );
    const { body } = await request('GET', `/v1/allocations/${held.id}`);
    t.equal(body.status, 'released');
    t.ok(new Date(body.releasedAt) >= committing, `${body.releasedAt} is not before ${committing.toISOString()}`);
    t.equal(body.updatedAt, body.releasedAt);
  });
}

async function readClock(client: pg.PoolClient): Promise<Date> {
  return (await client.query('select clock_timestamp()::timestamptz(3) as now')).rows[0].now;
}

t.test('allocate_port() takes no port of a range that was created after it locked the ranges', async (t) => {
  // A changed version that waits for this test between locking the ranges and reading what is held.
  const { rows } = await psql.query("select pg_get_functiondef('allocate_port'::regproc) as definition");
  const [{ definition }] = rows;
  const look = 'select c.port into new_port';
  t.ok(definition.includes(look));
  await psql.query(definition.replace(look, `perform pg_advisory_xact_lock(1);\n  ${look}`));
  t.teardown(() => psql.query(definition));
  const client = await psql.connect();
  await client.query('select pg_advisory_lock(1)');
  const allocated = psql.query("select allocate_port('fresh', 'mine')").then(
    () => 'allocated without the lock',
    (error) => error.code,
  );
  await Promise.race([untilWaiting(1), allocated]);
  await psql.query("insert into port_ranges (start_port, end_port, project) values (4000, 4099, 'fresh')");
  await client.query('select pg_advisory_unlock(1)');
  client.release();
  t.equal(await allocated, 'PA001');
});

t.test('transactions over several ranges of one project never deadlock', async (t) => {
  for (let i = 0; i < 4; i++) await request('POST', '/v1/ranges', { project: 'wide' });
  const outcomes = await Promise.all(
    Array.from({ length: 240 }, (_, i) => {
      const startPort = 3600 + 100 * (i % 4);
      const calls = [
        () => request('POST', '/v1/projects/wide/allocations', { service: 's', port: startPort + (i % 100) }),
        () => request('PATCH', `/v1/ranges/${startPort}`, { description: `${i}` }),
        () => request('DELETE', `/v1/ranges/${startPort}`),
        () => request('POST', '/v1/ranges', { project: 'wide', startPort }),
        () => psql.query("select allocate_port('wide', 's')").catch((error) => ({ status: error.code })),
        () => psql.query('select release_port($1)', [startPort + (i % 100)]),
      ];
      return (calls[i % calls.length] as (typeof calls)[number])();
    }),
  );
  // On a slow machine the last of so many callers may have waited for the lock for too long.
  const isExpected = (outcome: object) =>
    !('status' in outcome) ||
    [200, 201, 204, 404, 409, 422, 'PA001'].includes(outcome.status as number) ||
    (outcome.status === 503 && 'body' in outcome && / longer than /.test(JSON.stringify(outcome.body)));
  t.same(
    outcomes.filter((outcome) => !isExpected(outcome)),
    [],
  );
  await sleep(1500); // until the backends have reported their counts
  const { rows } = await psql.query('select deadlocks from pg_stat_database where datname = current_database()');
  t.same(rows, [{ deadlocks: '0' }]);
  t.same(await findViolations(db), []);
});
