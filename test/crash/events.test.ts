// The change feed while processes are killed and the database restarts.
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { startPostgres } from '../../scripts/postgres.js';
import { makeSeededDir } from '../helpers/database.js';
import { proveFeed } from '../helpers/feed-proof.js';
import { type Service, startService } from '../helpers/service.js';

t.setTimeout(240_000);

t.test('two replicas, of which one is killed, and a database that crashes', async (t) => {
  const server = await startPostgres();
  t.teardown(() => server.stop());
  const variables = { DATABASE_URL: server.url, SEED_ON_START: 'true' };
  const first = await startService(t, variables).ready();
  const second = await startService(t, variables).ready();
  let running: Service[] = [first, second];
  await proveFeed(
    t,
    () => running,
    server.url,
    async () => {
      await sleep(3000);
      running = [second];
      await first.kill('SIGKILL');
      await sleep(1500);
      running = [await startService(t, variables).ready(), second];
      await sleep(2000);
      await server.kill();
      await sleep(500);
      await server.restart();
      await sleep(5000);
    },
  );
  const outage = second.output().match(/New events cannot be put in order/g) ?? [];
  t.ok(outage.length <= 2, `the outage is logged ${outage.length} times, and not each second`);
});

t.test('the embedded database, whose process is killed', async (t) => {
  const variables = { DATA_DIR: await makeSeededDir(t) };
  let service = await startService(t, variables).ready();
  await proveFeed(
    t,
    () => [service],
    null,
    async () => {
      await sleep(3000);
      await service.kill('SIGKILL');
      service = await startService(t, variables).ready();
      await sleep(3000);
    },
  );
});
