// Concurrent callers of two service instances on one database. Each instance has its own pool, so only the database can
// make them agree.
import t from 'tap';
import { seed } from '../../src/database/seed.js';
import { type Answer, makeApp, requester } from '../helpers/app.js';
import { createDatabase, openPostgres } from '../helpers/database.js';
import { emptyRegistry, findViolations } from '../helpers/registry.js';
import { startService } from '../helpers/service.js';

const url = await createDatabase(t);
const { db } = await openPostgres(t, url);
const instances = [
  requester(await makeApp(t, await openPostgres(t, url))),
  requester(await makeApp(t, await openPostgres(t, url))),
] as const;
/** Calls the instances in turn. */
const of = (caller: number) => instances[caller % 2 === 0 ? 0 : 1];

t.beforeEach(async () => {
  await emptyRegistry(db);
  await seed(db, 0);
});

const race = <T>(callers: number, call: (caller: number) => Promise<T>) =>
  Promise.all(Array.from({ length: callers }, (_, caller) => call(caller)));

function tally(answers: { status: number; body: { code?: string } }[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { status, body } of answers) {
    const outcome = body?.code ?? String(status);
    counts[outcome] = (counts[outcome] ?? 0) + 1;
  }
  return counts;
}

const portsOf = (answers: Answer[]) =>
  answers
    .filter(({ status }) => status === 201)
    .map(({ body }) => body.port as number)
    .sort((a, b) => a - b);

const span = (first: number, count: number) => Array.from({ length: count }, (_, i) => first + i);

t.test('200 callers who race for one key get one port, and one of them is told that it is new', async (t) => {
  const answers = await race(200, (caller) => of(caller)('PUT', '/v1/projects/consilio/services/api'));
  t.same(tally(answers), { 201: 1, 200: 199 });
  t.same([...new Set(answers.map(({ body }) => body.port))], [3100]);
  t.equal(new Set(answers.map(({ body }) => body.id)).size, 1);
});

t.test('150 callers who race for 100 ports get each port once, and the others hear that none is left', async (t) => {
  const answers = await race(150, (caller) => of(caller)('PUT', `/v1/projects/consilio/services/s${caller}`));
  t.same(tally(answers), { 201: 100, 'range-exhausted': 50 });
  t.same(portsOf(answers), span(3100, 100));
  t.same(await findViolations(db), []);
});

t.test('callers who race to allocate leave no gap', async (t) => {
  const answers = await race(60, (caller) =>
    of(caller)('POST', '/v1/projects/odin/allocations', { service: 'worker' }),
  );
  t.same(portsOf(answers), span(3300, 60));
});

t.test('of 50 callers who race for one particular port, one gets it and the others learn who', async (t) => {
  const answers = await race(50, (caller) =>
    of(caller)('POST', '/v1/projects/consilio/allocations', { service: `s${caller}`, port: 3142 }),
  );
  t.same(tally(answers), { 201: 1, 'port-taken': 49 });
  const winner = answers.find(({ status }) => status === 201)?.body;
  t.equal(winner.port, 3142);
  const holders = new Set(
    answers.filter(({ status }) => status === 409).map(({ body }) => JSON.stringify(body.holder)),
  );
  const { id, project, service, environment } = winner;
  t.same([...holders], [JSON.stringify({ kind: 'allocation', id, project, service, environment })]);
});

t.test('each host and protocol is a port space of its own, also in a race', async (t) => {
  const spaces = ['tcp', 'udp'].flatMap((protocol) => ['localhost', '10.0.0.7'].map((host) => ({ host, protocol })));
  const answers = await race(80, (caller) =>
    of(caller)('POST', '/v1/projects/odin/allocations', { service: 'worker', ...spaces[caller % 4] }),
  );
  for (const { host, protocol } of spaces) {
    const here = answers.filter(({ body }) => body.host === host && body.protocol === protocol);
    t.same(portsOf(here), span(3300, 20), `${host}/${protocol}`);
  }
});

t.test('an Idempotency-Key makes one allocation, however many send it at once', async (t) => {
  const answers = await race(60, (caller) =>
    of(caller)('POST', '/v1/projects/consilio/allocations', { service: 'api' }, { 'idempotency-key': 'deploy-1' }),
  );
  t.same(tally(answers), { 201: 60 });
  for (const { body } of answers) t.same(body, answers[0]?.body);
  t.equal(answers.filter(({ headers }) => headers['idempotent-replayed'] === undefined).length, 1);
  const list = await of(0)('GET', '/v1/allocations?project=consilio&status=any');
  t.equal(list.body.items.length, 1);
});

t.test('an Idempotency-Key makes one range, however many send it at once', async (t) => {
  const answers = await race(20, (caller) =>
    of(caller)('POST', '/v1/ranges', { project: 'atlas' }, { 'idempotency-key': 'range-1' }),
  );
  t.same(tally(answers), { 201: 20 });
  t.same([...new Set(answers.map(({ body }) => body.startPort))], [3600]);
  t.equal((await of(0)('GET', '/v1/projects/atlas/summary')).body.ranges.length, 1);
});

t.test('ranges that are created at once without a start port get the lowest blocks, none twice', async (t) => {
  const answers = await race(40, (caller) => of(caller)('POST', '/v1/ranges', { project: `p${caller % 7}` }));
  t.same(tally(answers), { 201: 40 });
  const starts = answers.map(({ body }) => body.startPort).sort((a, b) => a - b);
  t.same(
    starts,
    span(36, 40).map((hundred) => hundred * 100),
  );
  t.same(await findViolations(db), []);
});

t.test('of those who race for one start port, one gets the range', async (t) => {
  const answers = await race(20, (caller) =>
    of(caller)('POST', '/v1/ranges', { project: `p${caller}`, startPort: 4200 + 100 * (caller % 2), kind: 'shared' }),
  );
  t.same(tally(answers), { 201: 1, 'range-overlap': 19 });
});

t.test('a range that is deleted while ports in it are allocated either stays or nothing is in it', async (t) => {
  let kept = 0;
  for (let round = 0; round < 15; round++) {
    const startPort = (await of(0)('POST', '/v1/ranges', { project: 'brief' })).body.startPort;
    const [deleted, ...allocated] = await race(6, (caller) =>
      caller === 0
        ? of(round)('DELETE', `/v1/ranges/${startPort}`)
        : of(caller)('PUT', `/v1/projects/brief/services/s${caller}`),
    );
    t.same(await findViolations(db), []);
    if (deleted?.status === 204) {
      t.same(tally(allocated), { 'project-not-found': 5 }, 'it was gone before any allocation');
    } else {
      kept++;
      t.equal(deleted?.body.code, 'range-in-use');
      const answers = tally(allocated);
      t.same(answers, { 201: 5 });
      for (const { body } of allocated) await of(0)('DELETE', `/v1/allocations/${body.id}`);
      t.equal((await of(0)('DELETE', `/v1/ranges/${startPort}`)).status, 204);
    }
  }
  t.comment(`${kept} of 15 ranges stayed`);
});

t.test('releases of one allocation that race all answer the same, and free its port once', async (t) => {
  const { body: held } = await of(0)('PUT', '/v1/projects/consilio/services/api');
  const answers = await race(30, (caller) => of(caller)('DELETE', `/v1/allocations/${held.id}`));
  t.same(tally(answers), { 200: 30 });
  for (const { body } of answers) t.same(body, answers[0]?.body);
  const next = await race(2, (caller) => of(caller)('PUT', `/v1/projects/consilio/services/next${caller}`));
  t.same(portsOf(next), [3100, 3101]);
  t.same((await of(1)('DELETE', `/v1/allocations/${held.id}`)).body, answers[0]?.body, 'a late retry');
  t.equal((await of(0)('GET', '/v1/ports/3100')).body.state, 'allocated', "the next holder's port is still held");
});

t.test('two processes of the built service agree in the same way', async (t) => {
  const variables = { DATABASE_URL: url };
  const services = await Promise.all([startService(t, variables).ready(), startService(t, variables).ready()]);
  const call = (caller: number, path: string) => services[caller % 2 === 0 ? 0 : 1].call('PUT', path);
  const one = await race(200, (caller) => call(caller, '/v1/projects/odin/services/api'));
  t.same(tally(one), { 201: 1, 200: 199 });
  t.same([...new Set(one.map(({ body }) => body.port))], [3300]);
  const many = await race(150, (caller) => call(caller, `/v1/projects/consilio/services/s${caller}`));
  t.same(tally(many), { 201: 100, 'range-exhausted': 50 });
  const ports = many.filter(({ status }) => status === 201).map(({ body }) => body.port);
  t.same(
    ports.sort((a, b) => a - b),
    span(3100, 100),
  );
});
