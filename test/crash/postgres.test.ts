// PostgreSQL crashes under load several times while the service goes on running.
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { startPostgres } from '../../scripts/postgres.js';
import { Load } from '../helpers/load.js';
import { startService } from '../helpers/service.js';

const ROUNDS = Number(process.env.CRASH_ROUNDS ?? 5);
const REQUEST_TIMEOUT_MS = 5000;

t.test(`${ROUNDS} crashes of PostgreSQL under load lose nothing that was acknowledged`, async (t) => {
  const server = await startPostgres();
  t.teardown(() => server.stop());
  const variables = { DATABASE_URL: server.url, SEED_ON_START: 'true', REQUEST_TIMEOUT_MS: String(REQUEST_TIMEOUT_MS) };
  const replicas = [await startService(t, variables).ready(), await startService(t, variables).ready()] as const;
  const loads = replicas.map(
    (replica) =>
      new Load(() => replica, { project: 'shared-services', callers: 6, timeoutMs: REQUEST_TIMEOUT_MS + 10_000 }),
  );
  for (let round = 0; round < ROUNDS; round++) {
    await sleep(500 + 1500 * Math.random());
    await server.kill();
    await sleep(1500 * Math.random());
    await server.restart();
    for (const replica of replicas) await untilServed(replica);
  }
  await sleep(500);
  for (const load of loads) await load.stop();
  for (const load of loads) {
    t.comment(Object.fromEntries(load.outcomes), `slowest ${load.slowestMs} ms`);
    t.same(await load.findBrokenPromises(replicas[0]), []);
    t.ok(load.count('database-unavailable') > 0);
    const expected = ['201', '200', 'database-unavailable', 'range-exhausted', 'overloaded'];
    t.same(
      [...load.outcomes.keys()].filter((outcome) => !expected.includes(outcome)),
      [],
    );
  }
  for (const replica of replicas) t.equal(await replica.kill('SIGTERM'), 0);
});

async function untilServed(replica: { call(method: string, path: string): Promise<{ status: number }> }) {
  const deadline = Date.now() + 60_000;
  while ((await replica.call('PUT', '/v1/projects/consilio/services/api')).status >= 500) {
    if (Date.now() > deadline) throw new Error('the service did not recover');
    await sleep(100);
  }
}
