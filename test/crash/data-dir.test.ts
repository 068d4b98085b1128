// The embedded database in real processes: only one can use it at a time, and a killed one does no harm to it.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { makeSeededDir } from '../helpers/database.js';
import { Load } from '../helpers/load.js';
import { startService } from '../helpers/service.js';

t.test('kill -9 under load loses nothing that was acknowledged, and frees the directory at once', async (t) => {
  const variables = { DATA_DIR: await makeSeededDir(t) };
  const first = await startService(t, variables).ready();
  const load = new Load(() => first, { project: 'shared-services', callers: 8 });
  await sleep(2000);
  const stopped = load.stop();
  t.equal(await first.kill('SIGKILL'), null);
  const second = startService(t, variables); // without waiting in between
  await stopped;
  t.ok(load.acknowledged.size > 0, `${load.acknowledged.size} allocations were acknowledged`);
  t.equal(load.count('hung'), 0);
  await second.ready();
  t.same(await load.findBrokenPromises(second), []);

  t.test('a second service on the directory is refused while the first one runs', async (t) => {
    const refused = startService(t, variables);
    t.equal(await refused.exited, 1);
    const url = await second.url;
    t.equal(
      refused.output(),
      `${variables.DATA_DIR} is in use by another Port Allocator (pid ${second.child.pid}, ${url}), and two processes on ` +
        `one embedded database would lose data. Use the one that is running: ${url}, stop it first ` +
        '(`port-allocator stop`), give this one a DATA_DIR of its own, or run both over PostgreSQL (DATABASE_URL).\n',
    );
    t.equal((await second.call('PUT', '/v1/projects/consilio/services/api')).body.port, 3100, 'the first goes on');
  });

  t.test('what was allocated is there after a stop and a start', async (t) => {
    const before = await second.call('GET', '/v1/allocations?limit=1000');
    t.equal(await second.kill('SIGTERM'), 0);
    const third = await startService(t, variables).ready();
    t.same((await third.call('GET', '/v1/allocations?limit=1000')).body, before.body);
    t.equal(JSON.parse(await readFile(join(variables.DATA_DIR, 'holder.json'), 'utf8')).pid, third.child.pid);

    t.test('a range that was deleted does not come back with the next start', async (t) => {
      t.equal((await third.call('GET', '/v1/ranges')).body.items.length, 7);
      t.equal((await third.call('DELETE', '/v1/ranges/3300')).status, 204);
      t.equal(await third.kill('SIGTERM'), 0);
      const fourth = await startService(t, { ...variables, SEED_ON_START: 'true' }).ready();
      const { body } = await fourth.call('GET', '/v1/ranges');
      const starts = body.items.map(({ startPort }: { startPort: number }) => startPort);
      t.same(starts, [3000, 3100, 3200, 3400, 3500, 9000]);
    });
  });
});
