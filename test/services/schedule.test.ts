import { setTimeout } from 'node:timers/promises';
import { sql } from 'kysely';
import t from 'tap';
import { giveUpLease, renewLease, takeLease } from '../../src/repositories/leases.js';
import { runOnce, runOnSchedule } from '../../src/services/schedule.js';
import { openReplicas, silentLog } from '../helpers/database.js';

const never = new AbortController().signal;

t.test('an occurrence is run by one of two replicas, and the other one does not repeat it later', async (t) => {
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

t.test('a lease ends when it is released or expires, and cannot be renewed afterwards', async (t) => {
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

t.test('a run that takes longer than its lease renews it, and a run that has lost its lease is stopped', async (t) => {
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

t.test('a pass that nobody made at its time is made once by whoever starts next, if the job says so', async (t) => {
  const replicas = await openReplicas(t);
  const passes: string[] = [];
  const start = async (db: (typeof replicas)[0]) => {
    const stopping = new AbortController();
    const jobs = ['chore', 'audit'].map((name) => {
      const run = async () => void passes.push(name);
      return runOnSchedule(
        db,
        { name, schedule: '0 0 1 1 *', catchesUp: name === 'chore', run },
        silentLog,
        stopping.signal,
      );
    });
    for (let i = 0; i < 200 && passes.length === 0; i++) await setTimeout(50);
    await setTimeout(500); // enough for a second pass, if there is one
    stopping.abort();
    await Promise.all(jobs);
  };
  await Promise.all(replicas.map(start));
  t.same(passes, ['chore']);
  await start(replicas[0]);
  t.same(passes, ['chore'], 'no later process repeats it');
});
