// A project whose lock is held by somebody else.
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import t, { type Test } from 'tap';
import { loadConfig } from '../../src/config.js';
import { connectDatabase } from '../../src/database/connect.js';
import { type Answer, makeApp, requester } from '../helpers/app.js';
import { createDatabase, openPostgres, silentLog } from '../helpers/database.js';

const LOCK_TIMEOUT_MS = 500;
/** How many commands may wait for one project, and how many of them one transaction executes. */
const QUEUE = 4096;
const BATCH = 256;

const url = await createDatabase(t);
await openPostgres(t, url);
const psql = new pg.Pool({ connectionString: url });
// Shorter than the lock timeout. It applies to connections that are made after this.
await psql.query(`alter database ${new URL(url).pathname.slice(1)} set deadlock_timeout = '100ms'`);
const variables = { DATABASE_URL: url, LOCK_TIMEOUT_MS: String(LOCK_TIMEOUT_MS) };
const database = await connectDatabase(loadConfig(variables), silentLog);
const request = requester(await makeApp(t, database, variables));
// Long enough that a caller who waited for the lock could not be answered before the others.
const PATIENCE_MS = 8000;
const patient = await connectDatabase(loadConfig({ ...variables, LOCK_TIMEOUT_MS: String(PATIENCE_MS) }), silentLog);
const ask = requester(
  await makeApp(t, patient, { DATABASE_URL: url, LOCK_TIMEOUT_MS: String(PATIENCE_MS), REQUEST_TIMEOUT_MS: '60000' }),
);
t.teardown(() => patient.close());
t.teardown(() => psql.end());
t.teardown(() => database.close());

/** Locks the project's ranges until the test ends, or until the returned function is called. */
async function keepLocked(t: Test, project: string): Promise<() => Promise<void>> {
  const client = await psql.connect();
  await client.query('begin');
  await client.query('select from port_ranges where project = $1 for update', [project]);
  let kept = true;
  const letGo = async () => {
    if (!kept) return;
    kept = false;
    await client.query('rollback');
    client.release();
  };
  t.teardown(letGo);
  return letGo;
}

t.test('a locked project is busy for callers who would change it, and for nobody else', async (t) => {
  const { body: held } = await request('PUT', '/v1/projects/consilio/services/held');
  const letGo = await keepLocked(t, 'consilio');
  const calls = [
    ['PUT', '/v1/projects/consilio/services/new'],
    ['POST', '/v1/projects/consilio/allocations', { service: 'new' }],
    ['PATCH', `/v1/allocations/${held.id}`, { description: 'x' }],
    ['DELETE', `/v1/allocations/${held.id}`],
    ['DELETE', '/v1/projects/consilio/services/held'],
    ['PATCH', '/v1/ranges/3100', { description: 'x' }],
    ['DELETE', '/v1/ranges/3100'],
  ] as const;
  for (const [method, path, body] of calls) {
    const began = Date.now();
    const answer = await request(method, path, body);
    t.equal(answer.status, 503, `${method} ${path}`);
    t.equal(answer.body.code, 'project-busy');
    t.match(answer.headers['retry-after'], /^\d+$/);
    t.ok(Date.now() - began >= LOCK_TIMEOUT_MS - 50, 'it did wait');
  }

  t.equal((await request('PUT', '/v1/projects/consilio/services/held')).status, 200, 'what is held is still told');
  t.equal((await request('GET', '/v1/projects/consilio/summary')).status, 200);
  t.equal((await request('PUT', '/v1/projects/odin/services/api')).status, 201, 'other projects go on');
  t.equal((await request('POST', '/v1/ranges', { project: 'consilio' })).status, 201, 'and get ranges');

  await letGo();
  t.same((await request('GET', `/v1/allocations/${held.id}`)).body, held, 'nothing was changed');
  t.match(await request('PUT', '/v1/projects/consilio/services/new'), { status: 201, body: { port: 3101 } });
});

t.test('a deadlock with somebody at a psql prompt is answered as busy, and changes nothing', async (t) => {
  const { body: second } = await request('POST', '/v1/ranges', { project: 'odin' });
  const { body: before } = await request('GET', '/v1/projects/odin/summary');
  const client = await psql.connect();
  await client.query("begin; set local deadlock_timeout = '1min'"); // so that PostgreSQL does not end this transaction
  await client.query('select from port_ranges where start_port = $1 for update', [second.startPort]);
  const call = request('PUT', '/v1/projects/odin/services/deadlocked');
  const waiting = "select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
  while ((await psql.query(waiting)).rowCount === 0);
  await client.query("select from port_ranges where project = 'odin' and start_port = 3300 for update");
  await client.query('rollback');
  client.release();
  const answer = await call;
  t.match(answer, { status: 503, body: { code: 'project-busy', detail: /Nothing was changed; try again\.$/ } });
  t.equal(answer.headers['retry-after'], '1');
  t.same((await request('GET', '/v1/projects/odin/summary')).body, before);
  t.equal((await request('PUT', '/v1/projects/odin/services/deadlocked')).status, 201);
});

/** Starts the calls. `answered` returns how many of them have been answered. */
function begin(calls: Promise<Answer>[]): { answers: Promise<Answer[]>; answered(): number } {
  let answered = 0;
  for (const call of calls) void call.finally(() => answered++);
  return { answers: Promise.all(calls), answered: () => answered };
}

t.test('callers who wait for a busy project do not delay callers of other projects', async (t) => {
  const letGo = await keepLocked(t, 'health-agent');
  const services = Array.from({ length: 40 }, (_, i) => `s${i}`);
  const waiting = begin(services.map((service) => ask('PUT', `/v1/projects/health-agent/services/${service}`)));
  const others = await Promise.all(
    services.slice(0, 10).map((service) => ask('PUT', `/v1/projects/quiculum-monitor/services/${service}`)),
  );
  t.same(
    others.map(({ status }) => status),
    Array(10).fill(201),
  );
  t.equal(waiting.answered(), 0, 'while the others were answered, all of them waited');
  await letGo();
  const statuses = (await waiting.answers).map(({ status }) => status);
  t.same(statuses, Array(40).fill(201));
});

t.test('of two callers who wait for a busy project, the one who came first gets the lower port', async (t) => {
  const { body: range } = await ask('POST', '/v1/ranges', { project: 'orderly' });
  const letGo = await keepLocked(t, 'orderly');
  const calls: Promise<Answer>[] = [];
  for (let i = 0; i < 30; i++) {
    calls.push(ask('POST', '/v1/projects/orderly/allocations', { service: `s${i}` }));
    await sleep(2);
  }
  await letGo();
  const ports = (await Promise.all(calls)).map(({ body }) => body.port);
  t.same(
    ports,
    calls.map((_, i) => range.startPort + i),
  );
});

t.test(
  'when more wait for a project than its queue takes, the others are refused at once, and nothing else',
  async (t) => {
    await ask('POST', '/v1/ranges', { project: 'crowded' });
    const letGo = await keepLocked(t, 'crowded');
    const allocate = () => ask('POST', '/v1/projects/crowded/allocations', { service: 'one-of-many' });
    const calls = Array.from({ length: QUEUE + BATCH + 50 }, allocate);
    const first = await Promise.race(calls);
    await letGo();
    const answers = await Promise.all(calls);
    t.match(first, { status: 503, body: { code: 'project-busy' } }, 'who is refused does not wait');
    const refused = answers.filter(({ status }) => status === 503);
    t.ok(refused.length >= 50 && refused.length <= BATCH + 50, `${refused.length} were refused`);
    for (const { body, headers } of refused) {
      if (body.code !== 'project-busy' || headers['retry-after'] !== '1') t.fail('is no refusal', { body, headers });
    }
    const count = (wanted: number) => answers.filter(({ status }) => status === wanted).length;
    t.equal(count(201), 100, 'of those who waited, as many as the range has ports got one');
    t.equal(count(201) + count(409) + count(503), answers.length);
    t.equal((await allocate()).body.code, 'range-exhausted', 'the queue takes calls again');
  },
);

t.test('callers who wait to change a range of a busy project do not delay callers of other projects', async (t) => {
  const letGo = await keepLocked(t, 'meta-supervisor');
  const waiting = begin(
    Array.from({ length: 40 }, (_, i) => ask('PATCH', '/v1/ranges/3000', { description: `change ${i}` })),
  );
  await new Promise((resolve) => setTimeout(resolve, 100));
  const others = await Promise.all([
    ask('PUT', '/v1/projects/openhorizon/services/api'),
    ask('PATCH', '/v1/ranges/3200', { description: 'x' }),
    ask('POST', '/v1/ranges', { project: 'meta-supervisor' }),
  ]);
  t.same(
    others.map(({ status }) => status),
    [201, 200, 201],
  );
  t.equal(waiting.answered(), 0, 'while the others were answered, all of them waited');
  await letGo();
  t.ok((await waiting.answers).some(({ status }) => status === 200));
});

t.test('a range creation that waits does not delay changes of other ranges, and gets the next block', async (t) => {
  const client = await psql.connect();
  t.teardown(() => client.release());
  const { rows } = await client.query('select max(end_port) + 1 as free from port_ranges where end_port < 9000');
  const free: number = rows[0].free;
  await client.query('begin');
  await client.query('insert into port_ranges (start_port, end_port, project) values ($1, $1 + 99, $2)', [
    free,
    'psql',
  ]);
  let waits = true;
  const creation = request('POST', '/v1/ranges', { project: 'waits' }).finally(() => (waits = false));
  await new Promise((resolve) => setTimeout(resolve, 100));
  t.equal((await request('PATCH', '/v1/ranges/3300', { description: 'x' })).status, 200);
  t.ok(waits, 'the change was answered while the creation still waited');
  await client.query('commit');
  t.match(await creation, { status: 201, body: { startPort: free + 100 } });
});
