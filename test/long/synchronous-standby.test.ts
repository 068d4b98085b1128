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
await psql.connect();
t.teardown(() => psql.end());

async function setStandby(name: string): Promise<void> {
  await psql.query(`alter system set synchronous_standby_names = '${name}'`);
  await psql.query('select pg_reload_conf()');
  while ((await psql.query('show synchronous_standby_names')).rows[0].synchronous_standby_names !== name);
}

/** Waits until a connection waits for the standby, and cuts that wait short. */
async function untilCutShort(by: 'pg_cancel_backend' | 'pg_terminate_backend'): Promise<void> {
  const cut = `select ${by}(pid) from pg_stat_activity where wait_event = 'SyncRep'`;
  while ((await psql.query(cut)).rowCount === 0);
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
      await untilCutShort(by);
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
