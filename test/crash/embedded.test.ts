// kill -9 under load on the embedded database: what was acknowledged is still there after the next start.
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { makeSeededDir } from '../helpers/database.js';
import { Load } from '../helpers/load.js';
import { startService } from '../helpers/service.js';

const ROUNDS = Number(process.env.CRASH_ROUNDS ?? 6);
/** How long to wait for the first answer on a busy machine. Without one, a kill would have nothing to lose. */
const FIRST_ANSWER_TIMEOUT_MS = 10_000;
t.test(`${ROUNDS} times kill -9 under load lose nothing that was acknowledged, and double nothing`, async (t) => {
  const variables = { DATA_DIR: await makeSeededDir(t), LOG_LEVEL: 'info' };
  let service = await startService(t, variables).ready();
  const loads: Load[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const load = new Load(() => service, { project: 'shared-services', callers: 8 });
    loads.push(load);
    const deadline = Date.now() + FIRST_ANSWER_TIMEOUT_MS;
    while (load.acknowledged.size === 0 && Date.now() < deadline) await sleep(20);
    await sleep(700 + 900 * Math.random());
    const stopped = load.stop();
    t.equal(await service.kill('SIGKILL'), null);
    await stopped;
    t.ok(load.acknowledged.size > 0, `${load.acknowledged.size} allocations were acknowledged`);
    t.equal(load.count('hung'), 0);

    service = await startService(t, variables).ready();
    for (const [i, load] of loads.entries()) {
      t.same(await load.findBrokenPromises(service), [], `round ${i + 1} after kill ${round + 1}`);
    }
  }
  t.equal(await service.kill('SIGTERM'), 0);
});
