import { once } from 'node:events';
import { setTimeout } from 'node:timers/promises';
import { sql } from 'kysely';
import t, { type Test } from 'tap';
import { loadConfig } from '../../src/config.js';
import { unobserved } from '../../src/observer.js';
import { giveUpLease, renewLease, takeLease } from '../../src/repositories/leases.js';
import { runMonitor } from '../../src/services/monitor.js';
import { Prober } from '../../src/services/prober.js';
import { runOnce, runOnSchedule } from '../../src/services/schedule.js';
import { createDatabase, openPostgres, silentLog } from '../helpers/database.js';
import { listen } from '../helpers/listeners.js';

const HOST = '127.0.0.81';
const never = new AbortController().signal;

async function openReplicas(t: Test) {
  const url = await createDatabase(t);
  const first = await openPostgres(t, url);
  return [first.db, (await openPostgres(t, url)).db] as const;
}

t.test('of two replicas, one takes an occurrence, and a late one does not repeat it', async (t) => {
  const [a, b] = await openReplicas(t);
  let passes = 0;
  const job = { name: 'audit', run: async () => void passes++ };
  const at = (seconds: number) => new Date(1_800_000_000_000 + seconds * 1000);
  const both = await Promise.all([a, b].map((db) => runOnce(db, job, at(0), never)));
  t.same(both.sort(), [false, true]);
  t.equal(await runOnce(b, job, at(0), never), false, 'its clock is late');
  t.equal(await runOnce(b, job, at(60), never), true);
  t.equal(await runOnce(a, job, at(0), never), false, 'its clock is very late');
  t.equal(passes, 2);
});

t.test('a lease ends when it is given up or runs out, and cannot be renewed then', async (t) => {
  const [a, b] = await openReplicas(t);
  const [mine, theirs] = ['a', 'b'].map((holder) => ({ name: 'audit', holder })) as [never, never];
  t.equal(await takeLease(a, mine, new Date(1), 60_000), true);
  t.equal(await takeLease(b, theirs, new Date(2), 60_000), false);
  t.equal(await renewLease(b, theirs, 60_000), false);
  t.equal(await renewLease(a, mine, 100), true);
  await setTimeout(150);
  t.equal(await renewLease(a, mine, 60_000), false, 'it ran out');
  t.equal(await takeLease(b, theirs, new Date(2), 60_000), true);
  await giveUpLease(a, mine);
  t.equal(await takeLease(a, mine, new Date(3), 60_000), false, "nobody gives up another's lease");
  await giveUpLease(b, theirs);
  t.equal(await takeLease(a, mine, new Date(3), 60_000), true);
});

t.test('a pass longer than its lease keeps it, and a pass that lost it is stopped', async (t) => {
  const [a, b] = await openReplicas(t);
  const long = { name: 'long', run: async () => void (await setTimeout(1500)) };
  const running = runOnce(a, long, new Date(1), never, 500);
  await setTimeout(1000);
  t.equal(await runOnce(b, long, new Date(2), never, 500), false);
  t.equal(await running, true);
  const endless = { name: 'endless', run: (signal: AbortSignal) => setTimeout(60_000, undefined, { signal }) };
  const lost = runOnce(a, endless, new Date(1), never, 300);
  await setTimeout(50);
  await sql`update leases set holder = 'another' where name = 'endless'`.execute(b);
  await t.rejects(lost, { name: 'AbortError' });
});

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
  const monitor = runMonitor(db, new Prober(config), config, log, stopping.signal);
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
});

t.test('every scheduled audit looks for squatters on this machine, and no longer tells of one that left', async (t) => {
  const [db] = await openReplicas(t);
  const config = loadConfig({ AUDIT_SCHEDULE: '* * * * * *' });
  const stranger = await listen(t, '127.0.0.1', 3577);
  const audits: boolean[] = [];
  const observer = {
    ...unobserved,
    audited(conflicts: readonly { kind: string; port?: number | null }[], seeksStrangers: boolean) {
      t.ok(seeksStrangers);
      audits.push(conflicts.some(({ kind, port }) => kind === 'squatter' && port === 3577));
    },
  };
  const stopping = new AbortController();
  const monitor = runMonitor(db, new Prober(config, observer), config, silentLog, stopping.signal);
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
