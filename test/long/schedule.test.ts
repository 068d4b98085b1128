import { once } from 'node:events';
import { setTimeout } from 'node:timers/promises';
import { sql } from 'kysely';
import t from 'tap';
import { loadConfig } from '../../src/config.js';
import { unobserved } from '../../src/observer.js';
import { Registry } from '../../src/registry/registry.js';
import { runMonitor } from '../../src/services/monitor.js';
import { Prober } from '../../src/services/probes/prober.js';
import { runOnSchedule } from '../../src/services/schedule.js';
import { openReplicas, silentLog } from '../helpers/database.js';
import { listen } from '../helpers/listeners.js';

const HOST = '127.0.0.81';

t.test('two replicas on one schedule never run two passes at once, nor one twice', async (t) => {
  const replicas = await openReplicas(t);
  const stopping = new AbortController();
  let running = 0;
  let most = 0;
  const passes: number[] = [];
  const run = async () => {
    most = Math.max(most, ++running);
    passes.push(Math.round(Date.now() / 1000));
    await setTimeout(200);
    running--;
  };
  const job = { name: 'audit', schedule: '* * * * * *', run };
  const loops = replicas.map((db) => runOnSchedule(db, job, silentLog, stopping.signal));
  await setTimeout(4500);
  stopping.abort();
  await Promise.all(loops);
  t.equal(most, 1);
  t.ok(passes.length >= 2 && passes.length <= 5, `${passes.length} passes in 4.5 s`);
  t.equal(new Set(passes).size, passes.length);
});

t.test('the monitor audits on AUDIT_SCHEDULE, and outlives a pass that fails', async (t) => {
  const [db] = await openReplicas(t);
  const config = loadConfig({ AUDIT_SCHEDULE: '* * * * * *', PROBE_TARGETS: `web=${HOST}` });
  await sql`insert into port_allocations (port, project, service, host) values (3300, 'odin', 'api', 'web')`.execute(
    db,
  );
  await listen(t, HOST, 3300);
  await sql`alter table port_ranges rename to away`.execute(db);
  const stopping = new AbortController();
  const warnings: string[] = [];
  const log = { info() {}, warn: (_: object, message: string) => void warnings.push(message) };
  const monitor = runMonitor(
    db,
    { registry: new Registry(db), prober: new Prober(config), feed: { changed() {} }, config, log },
    stopping.signal,
  );
  await setTimeout(2200);
  await sql`alter table away rename to port_ranges`.execute(db);
  for (let i = 0; i < 50; i++) {
    const row = await db.selectFrom('port_allocations').select('status').executeTakeFirstOrThrow();
    if (row.status === 'in_use') break;
    await setTimeout(100);
  }
  stopping.abort();
  await monitor;
  t.equal((await db.selectFrom('port_allocations').select('status').executeTakeFirstOrThrow()).status, 'in_use');
  t.ok(warnings.includes('A scheduled pass failed'));
  const [kept] = await db.selectFrom('port_audits').selectAll().orderBy('checked_at', 'desc').execute();
  t.match(kept, {
    requested_by: 'schedule',
    project: null,
    covers: null,
    in_use: 1,
    fully_probed_hosts: ['localhost'],
  });
});

t.test('every scheduled audit looks for squatters on this machine, and forgets those that have gone', async (t) => {
  const [db] = await openReplicas(t);
  const config = loadConfig({ AUDIT_SCHEDULE: '* * * * * *' });
  const stranger = await listen(t, '127.0.0.1', 3577);
  const audits: boolean[] = [];
  const observer = {
    ...unobserved,
    audited(conflicts: readonly { kind: string; port?: number | null }[], probedUnallocated: boolean) {
      t.ok(probedUnallocated);
      audits.push(conflicts.some(({ kind, port }) => kind === 'squatter' && port === 3577));
    },
  };
  const stopping = new AbortController();
  const monitor = runMonitor(
    db,
    {
      registry: new Registry(db),
      prober: new Prober(config, observer),
      feed: { changed() {} },
      config,
      log: silentLog,
    },
    stopping.signal,
  );
  const until = async (holds: () => boolean) => {
    for (const deadline = Date.now() + 20_000; Date.now() < deadline && !holds(); ) await setTimeout(50);
    return holds();
  };
  t.ok(await until(() => audits.at(-1) === true), 'it is found');
  stranger.close();
  await once(stranger, 'close');
  t.ok(await until(() => audits.at(-1) === false), 'and forgotten');
  stopping.abort();
  await monitor;
});
