// A primary whose synchronous standby does not answer. COMMIT waits, and if the wait is cut short, PostgreSQL answers
// with success and a warning.
import pg from 'pg';
import t from 'tap';
import { startPostgres } from '../../scripts/postgres.js';
import { loadConfig } from '../../src/config.js';
import { connectDatabase } from '../../src/database/connect.js';
import { migrate } from '../../src/database/migrate.js';
import { seed } from '../../src/database/seed.js';
import { makeApp, requester } from '../helpers/app.js';
import { silentLog } from '../helpers/database.js';

const server = await startPostgres();
t.teardown(() => server.stop());
const variables = { DATABASE_URL: server.url, REQUEST_TIMEOUT_MS: '60000' };
const database = await connectDatabase(loadConfig(variables), silentLog);
await migrate(database, silentLog);
await seed(database.db, 0);
const request = requester(await makeApp(t, database, variables));
t.teardown(() => database.close());
const psql = new pg.Client({ connectionString: server.url });
const committing = new pg.Client({ connectionString: server.url });
for (const client of [psql, committing]) {
  await client.connect();
  t.teardown(() => client.end());
}

/**
 * Returns when commits wait for a standby of this name, or do not wait any more. Only the checkpointer knows whether they
 * do, and it may read the setting later than all others.
 */
async function setStandby(name: string): Promise<void> {
  await psql.query(`alter system set synchronous_standby_names = '${name}'`);
  await psql.query('select pg_reload_conf()');
  while ((await cutShort('pg_cancel_backend', commit())) !== (name !== ''));
}

const commit = () => committing.query("select pg_logical_emit_message(true, 'test', '')");

/** @returns whether a connection waited for the standby before the work was done; that wait is cut short */
async function cutShort(by: 'pg_cancel_backend' | 'pg_terminate_backend', work: Promise<unknown>): Promise<boolean> {
  let isDone = false;
  const end = () => {
    isDone = true;
  };
  void work.then(end, end);
  const cut = `select ${by}(pid) from pg_stat_activity where wait_event = 'SyncRep'`;
  let hasWaited = false;
  while (!isDone && !hasWaited) hasWaited = (await psql.query(cut)).rowCount !== 0;
  await work;
  return hasWaited;
}

const unknown = { status: 503, body: { code: 'database-unavailable', detail: /it may or may not have been made/ } };

for (const by of ['pg_cancel_backend', 'pg_terminate_backend'] as const) {
  t.test(`a commit whose wait for the standby ${by} cuts short is never answered as done`, async (t) => {
    await setStandby('nobody');
    t.teardown(() => setStandby(''));
    for (const [method, path, body] of [
      ['PUT', `/v1/projects/consilio/services/${by.slice(3, 9)}`, {}],
      ['POST', '/v1/projects/consilio/allocations', { service: by.slice(3, 9) }],
      ['POST', '/v1/projects/consilio/reservations', { ttlSeconds: 60 }],
      ['POST', '/v1/ranges', { project: 'consilio' }],
    ] as const) {
      const call = request(method, path, body);
      t.ok(await cutShort(by, call), 'its commit waits');
      const answer = await call;
      t.match(answer, unknown, `${method} ${path}`);
      t.match(answer.headers['retry-after'], /^\d+$/);
    }
  });
}

t.test('once the standby answers, a repeated request is answered as done', async (t) => {
  t.equal((await request('PUT', '/v1/projects/odin/services/api')).status, 201);
  t.match(await request('PUT', '/v1/projects/consilio/services/cancel'), { status: 200, body: { port: 3100 } });
});
