import t from 'tap';
import { makeApp, requester } from '../helpers/app.js';
import { openEmbedded } from '../helpers/database.js';
import { listen } from '../helpers/listeners.js';

const HOST = '127.0.0.51';

t.test('the embedded database takes health checks and audits as PostgreSQL does', async (t) => {
  const request = requester(await makeApp(t, await openEmbedded(t), { PROBE_TARGETS: `web=${HOST}` }));
  const up = (await request('PUT', '/v1/projects/odin/services/up?host=web')).body;
  const down = (await request('PUT', '/v1/projects/odin/services/down?host=web')).body;
  await listen(t, HOST, up.port);
  const key = { 'idempotency-key': 'verify-1' };
  const first = await request('POST', `/v1/allocations/${up.id}/health-checks`, {}, key);
  t.match(first, { status: 201, body: { outcome: 'open' } });
  t.same((await request('POST', `/v1/allocations/${up.id}/health-checks`, {}, key)).body, first.body);
  const audits = await Promise.all(
    [1, 2, 3].map(() => request('POST', '/v1/audits', { unallocated: true, host: 'web' })),
  );
  for (const { body } of audits) {
    t.match(body, { allocated: 2, inUse: 1, notRunning: 1, health: 50, conflicts: [{ port: down.port }] });
  }
  t.equal((await request('GET', `/v1/allocations/${up.id}/health-checks`)).body.items.length, 4);
  t.equal((await request('GET', `/v1/allocations/${up.id}`)).body.status, 'in_use');
});
