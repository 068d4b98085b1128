// More load than the service can handle: it refuses the excess, still answers /livez, and recovers.
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import t, { type Test } from 'tap';
import { makeApp, requester } from '../helpers/app.js';
import { createDatabase, openPostgres } from '../helpers/database.js';
import { assertProblem } from '../helpers/problems.js';
import { headOf, sendRaw } from '../helpers/raw-request.js';
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
 * @param from the address of the connection, since one address may not have so many requests waiting
 * @returns their statuses, once all have been answered
 */
function pipeline(t: Test, url: URL, paths: string[], count: number, from: string): Promise<number[]> {
  const { hostname, port, host } = url;
  const socket = connect({ port: Number(port), host: hostname, localAddress: from });
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
  const piled = Array.from({ length: 60 }, (_, i) => pipeline(t, new URL(url), paths, 150, `127.0.1.${1 + i}`));
  for (const one of piled) one.catch(() => {}); // awaited below
  const ask = () => service.call('GET', '/v1/ranges', undefined, { timeoutMs: 2000 }).catch(() => null);
  const isRefused = (answer: Reply | null) => /under way here already/.test(answer?.body.detail);
  const refusal = await until(
    async () => (await Promise.all([ask(), ask()])).find(isRefused), // one of the two may still be let in
    (answer) => answer !== undefined,
  );
  t.match(refusal, { status: 503, body: { code: 'overloaded' } });
  t.match(refusal?.headers.get('retry-after'), /^\d+$/);
  t.equal((await service.call('GET', '/livez')).status, 200, 'that the process is alive is told all the same');

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

/** What each sends of its body at first: eleven of these fit into the memory for bodies, and leave some of it. */
const BEGUN = 400 * 1024;

t.test(
  'large bodies that trickle in: as many as the memory has room for, and nobody else is kept waiting',
  async (t) => {
    const url = await createDatabase(t, process.env.TEST_TEMPLATE);
    const variables = { DATABASE_URL: url, NODE_OPTIONS: '--max-old-space-size=96', REQUEST_TIMEOUT_MS: '120000' };
    const service = await startService(t, variables).ready();
    const at = await service.url;
    // Each from an address of its own, which may have a quarter of the memory for bodies: 1.1 of 4.5 MiB with this heap.
    const begin = (address: number) =>
      sendRaw(t, at, headOf('POST /v1/imports?dryRun=true', MIB) + LARGE.slice(0, BEGUN), `127.0.1.${address}`);
    const sent = Array.from({ length: 40 }, (_, i) => begin(i + 1));
    const refused = new Set<(typeof sent)[0]>();
    for (const one of sent) one.status.then((status) => status === 503 && refused.add(one)).catch(() => {});
    await until(
      async () => refused.size,
      (size) => size >= 29,
    );
    await sleep(500);
    const taken = sent.filter((one) => !refused.has(one));
    t.ok(taken.length >= 4 && taken.length <= 11, `${taken.length} were taken`);
    t.equal((await service.call('GET', '/v1/ranges')).status, 200, 'small requests are answered');
    const small = await service.call('PUT', '/v1/projects/odin/services/api', { description: 'x' });
    t.equal(small.status, 201);
    for (const one of taken.slice(4)) one.destroy();
    await sleep(500); // until the service has noticed that they left
    const finished = taken.slice(0, 4).map(async (one) => {
      one.write(LARGE.slice(BEGUN));
      return one.status;
    });
    t.same(await Promise.all(finished), [200, 200, 200, 200]);
    const again = begin(1);
    again.write(LARGE.slice(BEGUN));
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
  for (const path of ['/readyz', '/metrics']) t.equal((await request('GET', path)).status, 503, path);
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
