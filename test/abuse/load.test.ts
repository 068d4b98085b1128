// More load than the service can handle: it refuses the excess, still answers its health endpoints, and recovers.
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import t, { type Test } from 'tap';
import { makeApp, requester } from '../helpers/app.js';
import { createDatabase, openPostgres } from '../helpers/database.js';
import { assertProblem } from '../helpers/problems.js';
import { type Reply, type Service, startService } from '../helpers/service.js';

t.setTimeout(280_000);

/** Long enough for a machine that is busy with other things too. Without load an answer takes a few milliseconds. */
const HEALTH_WITHIN_MS = 5000;

/** Requests the health of the service until told to stop. @returns how long each answer took, in ms */
function watchHealth(service: Service): () => Promise<number[]> {
  let watching = true;
  const watched = (async () => {
    const times: number[] = [];
    while (watching) {
      const began = performance.now();
      const { status } = await service.call('GET', '/livez', undefined, { timeoutMs: HEALTH_WITHIN_MS });
      if (status !== 200) throw new Error(`/livez answered ${status}`);
      times.push(performance.now() - began);
      await sleep(20);
    }
    return times.sort((a, b) => a - b);
  })();
  watched.catch(() => {});
  return () => {
    watching = false;
    return watched;
  };
}

/** Repeats a request until the answer is the right one, for up to a minute. */
async function until<T>(ask: () => Promise<T>, isRight: (answer: T) => boolean): Promise<T> {
  const deadline = performance.now() + 60_000;
  for (;;) {
    const answer = await ask();
    if (isRight(answer)) return answer;
    if (performance.now() > deadline) throw new Error(`still ${JSON.stringify(answer)}`);
    await sleep(20);
  }
}

const percentile = (sorted: number[], share: number) => sorted[Math.floor(share * (sorted.length - 1))] ?? 0;

/**
 * Sends requests on one connection without waiting for answers.
 * @returns their statuses, once all have been answered
 */
function pipeline(t: Test, { hostname, port, host }: URL, paths: string[], count: number): Promise<number[]> {
  const socket = connect(Number(port), hostname);
  t.teardown(() => socket.destroy());
  const requests = Array.from(
    { length: count },
    (_, i) => `GET ${paths[i % paths.length]} HTTP/1.1\r\nHost: ${host}\r\n\r\n`,
  );
  socket.write(requests.join(''));
  let text = '';
  return new Promise((resolve, reject) => {
    socket.setEncoding('latin1').on('error', reject);
    socket.on('close', () => reject(new Error('the connection was closed')));
    socket.on('data', (chunk) => {
      text += chunk;
      const statuses = [...text.matchAll(/HTTP\/1\.1 (\d+) /g)].map(([, status]) => Number(status));
      if (statuses.length === count) resolve(statuses);
    });
  });
}

t.test('while look-ups stall, requests beyond the limit are refused, and afterwards all are served', async (t) => {
  const database = await createDatabase(t, process.env.TEST_TEMPLATE);
  const service = await startService(t, {
    DATABASE_URL: database,
    REQUEST_TIMEOUT_MS: '120000',
    LOCK_TIMEOUT_MS: '120000',
  }).ready();
  const url = await service.url;
  const held = await service.call('PUT', '/v1/projects/odin/services/api');
  const psql = new pg.Client({ connectionString: database });
  await psql.connect();
  t.teardown(() => psql.end());
  await psql.query('begin; lock table port_allocations in access exclusive mode');
  const health = watchHealth(service);
  // Two kinds of look-ups, each with a queue of its own. Together the queues hold more requests than may be in
  // progress. Requests that wait for a connection could not be used: on a slow machine they would be refused before
  // all have come.
  const paths = ['/v1/projects/odin/services/api', `/v1/allocations/${held.body.id}`];
  const piled = Array.from({ length: 60 }, () => pipeline(t, new URL(url), paths, 150));
  for (const one of piled) one.catch(() => {}); // awaited below
  const ask = () => service.call('GET', '/v1/ranges', undefined, { timeoutMs: 2000 }).catch(() => null);
  const isRefused = (answer: Reply | null) => /under way here already/.test(answer?.body.detail);
  const refusal = await until(
    async () => (await Promise.all([ask(), ask()])).find(isRefused), // one of the two may still be let in
    (answer) => answer !== undefined,
  );
  t.match(refusal, { status: 503, body: { code: 'overloaded' } });
  t.match(refusal?.headers.get('retry-after'), /^\d+$/);
  t.equal((await service.call('GET', '/readyz')).status, 200, 'health is told all the same');

  await psql.query('rollback');
  const statuses = (await Promise.all(piled)).flat();
  const times = await health();
  const count = (status: number) => statuses.filter((one) => one === status).length;
  t.equal(count(200) + count(503), statuses.length);
  t.ok(count(200) > 0);
  t.equal((await service.call('GET', '/v1/ranges')).status, 200, 'and it takes requests again');
  t.comment(
    `${count(200)} answered, ${count(503)} refused; /livez p50 ${percentile(times, 0.5).toFixed(1)} ms, p99 ${percentile(times, 0.99).toFixed(1)} ms`,
  );
});

const MIB = 1024 * 1024;
/** A body of the largest allowed size that is cheap to answer. */
const LARGE = `{"items":[{"port":80}]}`.padEnd(MIB);

/** Sends the head of a large request and half of its body. @returns its status, and a function that sends the rest */
function sendHalf(t: Test, { hostname, port, host }: URL): { status: Promise<number>; finish(): void } {
  const socket = connect(Number(port), hostname);
  t.teardown(() => socket.destroy());
  const head = `POST /v1/imports?dryRun=true HTTP/1.1\r\nHost: ${host}\r\nContent-Type: application/json\r\nContent-Length: ${MIB}\r\n\r\n`;
  socket.write(head + LARGE.slice(0, MIB / 2));
  const status = new Promise<number>((resolve, reject) => {
    socket.setEncoding('latin1').on('error', reject);
    socket.on('data', (chunk) => {
      const found = /HTTP\/1\.1 (\d+) /.exec(String(chunk));
      if (found) resolve(Number(found[1]));
    });
  });
  status.catch(() => {}); // reported where it is awaited
  return { status, finish: () => socket.write(LARGE.slice(MIB / 2)) };
}

t.test(
  'large bodies that trickle in: as many as the memory has room for, and nobody else is kept waiting',
  async (t) => {
    const url = await createDatabase(t, process.env.TEST_TEMPLATE);
    const variables = { DATABASE_URL: url, NODE_OPTIONS: '--max-old-space-size=96', REQUEST_TIMEOUT_MS: '120000' };
    const service = await startService(t, variables).ready();
    const at = new URL(await service.url);
    const sent = Array.from({ length: 40 }, () => sendHalf(t, at));
    const refused = new Set<(typeof sent)[0]>();
    for (const one of sent) one.status.then((status) => status === 503 && refused.add(one)).catch(() => {});
    await until(
      async () => refused.size,
      (size) => size === 36,
    );
    t.equal((await service.call('GET', '/v1/ranges')).status, 200, 'small requests are answered');
    const small = await service.call('PUT', '/v1/projects/odin/services/api', { description: 'x' });
    t.equal(small.status, 201);
    const taken = sent.filter((one) => !refused.has(one));
    for (const one of taken) one.finish();
    t.same(await Promise.all(taken.map(({ status }) => status)), [200, 200, 200, 200]);
    const again = sendHalf(t, at);
    again.finish();
    t.equal(await again.status, 200, 'there is room again');
    t.equal(service.child.exitCode, null);
  },
);

t.test('while the event loop is too slow, requests are refused, health checks are not, and it recovers', async (t) => {
  const request = requester(await makeApp(t, await openPostgres(t)));
  let working = true;
  const work = () => {
    const until = performance.now() + 700;
    while (performance.now() < until); // one turn of the event loop, as long as one with too many requests
    if (working) setTimeout(work);
  };
  work();
  const refusal = await until(
    () => request('GET', '/v1/ranges'),
    ({ status }) => status === 503,
  );
  assertProblem(t, refusal, 'overloaded');
  t.match(refusal.body.detail, /does not keep up/);
  t.equal((await request('GET', '/livez')).status, 200);
  t.equal((await request('GET', '/metrics')).status, 200);
  working = false;
  await until(
    () => request('GET', '/v1/ranges'),
    ({ status }) => status === 200,
  );
  t.pass('it recovered');
});

t.test('one long turn of the event loop is no overload', async (t) => {
  const request = requester(await makeApp(t, await openPostgres(t)));
  for (let round = 0; round < 3; round++) {
    const until = performance.now() + 1500;
    while (performance.now() < until);
    for (let i = 0; i < 20; i++) {
      t.equal((await request('GET', '/v1/ports/3100')).status, 200);
      await sleep(10);
    }
  }
});
