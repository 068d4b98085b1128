// What a pass that fails, or is broken off, leaves behind, and when the next one is made.
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { TUNNEL_ID } from '../../helpers/cloudflare/api.js';
import { startTunnel } from '../../helpers/cloudflare/app.js';

t.test('after a Retry-After nothing is asked before it is over, whether plan or apply got it', async (t) => {
  for (const first of ['plan', 'apply'] as const) {
    const { cloudflare, database, allocate, status, ...calls } = await startTunnel(t);
    await allocate('web', 'shop.example.com');
    cloudflare.faults.push({ on: /^GET/, status: 429, headers: { 'retry-after': '120' } });
    t.match(await calls[first](), { status: 502, headers: { 'retry-after': '120' } });
    const { length } = cloudflare.requests;
    for (const again of ['plan', 'apply'] as const) {
      const answer = await calls[again]();
      t.match(answer, { status: 502, body: { detail: /asked for a pause/ } });
      t.ok(Number(answer.headers['retry-after']) > 100);
    }
    t.equal(cloudflare.requests.length, length);
    t.ok(Date.parse((await status()).nextAttemptAt) > Date.now() + 100_000);
    await database.db
      .updateTable('cloudflare_tunnels')
      .set({ calls_at: new Date(0) })
      .execute();
    t.equal((await calls.apply()).status, 200);
  }
});

t.test('calls by hand wait for no other failure, such as that of a tunnel configured by a file', async (t) => {
  const { cloudflare, allocate, apply, plan } = await startTunnel(t);
  cloudflare.source = 'local';
  await allocate('web', 'shop.example.com');
  t.match(await apply(), { status: 502, body: { detail: /configured by a file/ }, headers: { 'retry-after': '5' } });
  t.equal(cloudflare.writes.length, 0);
  cloudflare.source = 'cloudflare';
  t.equal((await plan()).status, 200);
  t.equal((await apply()).status, 200);
});

t.test('the background waits for 2, 4, 8 seconds after failures', async (t) => {
  const { cloudflare, apply, database } = await startTunnel(t);
  for (const seconds of [2, 4, 8]) {
    cloudflare.faults.push({ on: /^GET/, status: 503 });
    await apply();
    const { retry_at, failed_at } = await database.db
      .selectFrom('cloudflare_tunnels')
      .select(['retry_at', 'failed_at'])
      .executeTakeFirstOrThrow();
    t.equal(Math.round((Number(retry_at) - Number(failed_at)) / 100) / 10, seconds);
  }
});

t.test('a pass that fails tells how many changes are left, and one that takes long is made as a whole', async (t) => {
  const { cloudflare, allocate, apply, status } = await startTunnel(t, { REQUEST_TIMEOUT_MS: '500' });
  for (let i = 0; i < 10; i += 1) await allocate(`web-${i}`, `shop-${i}.example.com`);
  cloudflare.faults.push({ on: /^POST/, after: () => cloudflare.faults.push({ on: /^POST/, status: 503 }) });
  t.equal((await apply()).status, 502);
  t.equal((await status()).pendingChanges, 9, 'of 20, the rules and one record were made');
  cloudflare.faults.push({ on: /^POST/, delayMs: 1000 });
  t.equal((await apply()).body.changes.length, 9);
});

t.test('what was changed by a plan that is outdated is in the answer', async (t) => {
  const { cloudflare, allocate, apply } = await startTunnel(t);
  await allocate('web', 'shop.example.com');
  const theirs = { hostname: 'new.example.com', service: 'http://10.0.0.5:80' };
  const change = () => cloudflare.replace({ ingress: [...(cloudflare.config?.ingress ?? []).slice(0, 1), theirs] });
  cloudflare.faults.push({ on: /^PUT/, after: () => cloudflare.faults.push({ on: /^GET/, before: change }) });
  t.match((await apply()).body.changes, [
    { action: 'create', kind: 'rule', hostname: 'shop.example.com' },
    { action: 'create', kind: 'record', hostname: 'shop.example.com' },
  ]);
});

t.test('a pass whose client has left is no failure', async (t) => {
  const { cloudflare, app, allocate, apply, status, metric, database } = await startTunnel(t);
  await allocate('web', 'shop.example.com');
  await app.listen({ host: '127.0.0.1', port: 0 });
  const { port } = app.server.address() as AddressInfo;
  const leaving = new AbortController();
  cloudflare.faults.push({ on: /^PUT/, before: () => leaving.abort(), delayMs: 50 });
  const url = `http://127.0.0.1:${port}/v1/cloudflare/apply`;
  await t.rejects(fetch(url, { method: 'POST', signal: leaving.signal }));
  const leases = () => database.db.selectFrom('leases').selectAll().where('name', '=', 'cloudflare').execute();
  while ((await leases()).some(({ expires_at }) => expires_at.getTime() > Date.now())) await sleep(20);
  t.match(await status(), { tunnelId: TUNNEL_ID, lastError: null, lastSuccessAt: null, followingSince: /Z$/ });
  t.notOk((await metric('passes_total{outcome="failed"}')) > 0);
  t.equal((await apply()).status, 200);
});
