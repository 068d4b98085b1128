// When the background makes passes, and what a replica that has just started tells of those before.
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { startReplica, startTunnel } from '../../helpers/cloudflare/app.js';

t.test('nothing is changed unasked before somebody has applied the plan once, also if that failed', async (t) => {
  const { cloudflare, allocate, plan, apply, status, follow } = await startTunnel(t);
  await allocate('web', 'shop.example.com');
  follow();
  t.equal((await plan()).status, 200);
  await sleep(3000); // a tick, and what is gathered
  t.equal(cloudflare.writes.length, 0);
  t.match(await status(), { followingSince: null, nextStep: /POST \/v1\/cloudflare\/apply/, lastSuccessAt: null });
  cloudflare.faults.push({ on: /^POST/, status: 503 });
  t.equal((await apply()).status, 502);
  t.match(await status(), { followingSince: /Z$/, nextStep: null, pendingChanges: 1 });
  for (let i = 0; i < 100 && cloudflare.records.length === 0; i += 1) await sleep(100);
  t.match(cloudflare.records, [{ name: 'shop.example.com' }]);
});

t.test('after a restart the metrics tell the last success of before', async (t) => {
  const { cloudflare, database, allocate, apply, status } = await startTunnel(t);
  await allocate('web', 'shop.example.com');
  await apply();
  const succeededAt = Date.parse((await status()).lastSuccessAt) / 1000;
  const restarted = await startReplica(t, database, cloudflare);
  cloudflare.faults.push({ on: /^GET/, status: 503 });
  t.equal((await restarted.apply()).status, 502);
  t.equal(await restarted.metric('last_success_timestamp_seconds'), succeededAt);

  const idle = await startReplica(t, database, cloudflare);
  const end = idle.follow();
  await sleep(500);
  t.equal(await idle.metric('last_success_timestamp_seconds'), succeededAt, 'also where it made no pass');
  await end();
});
