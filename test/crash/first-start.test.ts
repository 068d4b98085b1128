// kill -9 while the embedded database is first created: the next start finds nothing half done.
import { readdir } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { makeDataDir } from '../helpers/database.js';
import { startService } from '../helpers/service.js';

/** Moments of a first start at which it is killed: creation takes seconds. */
const KILLED_AFTER_MS = [100, 300, 600, 1000, 1500, 2100, 2800, 3400, 4000];

t.test('a first start that is killed at any moment leaves a directory that the next start opens', async (t) => {
  for (const ms of KILLED_AFTER_MS) {
    const variables = { DATA_DIR: await makeDataDir(t) };
    const killed = startService(t, variables);
    await sleep(ms + 200 * Math.random());
    await killed.kill('SIGKILL');
    const again = await startService(t, variables).ready();
    const answer = await again.call('PUT', '/v1/projects/consilio/services/api');
    t.match(answer, { status: 201, body: { port: 3100 } }, `killed after about ${ms} ms`);
    const left = (await readdir(variables.DATA_DIR)).filter((name) => name.startsWith('.port-allocator-unfinished-'));
    t.same(left, [], 'nothing of the killed creation is left');
    t.equal(await again.kill('SIGTERM'), 0);
  }
});
