// A replica that is killed between the rule and the DNS record, and another one that goes on.
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { MARK } from '../../src/services/cloudflare/remote.js';
import { makeApp, requester } from '../helpers/app.js';
import { CLOUDFLARE, startCloudflare, TARGET, TOKEN } from '../helpers/cloudflare/api.js';
import { createDatabase, openPostgres } from '../helpers/database.js';
import { startProcess } from '../helpers/service.js';

t.test('the next pass completes what a killed replica has begun, and no log has the token', async (t) => {
  const cloudflare = await startCloudflare(t);
  const url = await createDatabase(t, process.env.TEST_TEMPLATE);
  const database = await openPostgres(t, url);
  const app = await makeApp(t, database, CLOUDFLARE, null, { cloudflareUrl: cloudflare.url });
  const request = requester(app);
  t.equal((await request('POST', '/v1/cloudflare/apply')).status, 200);
  const path = '/v1/projects/shop/services/web?createProject=true';
  await request('PUT', path, { cloudflareHostname: 'shop.example.com' });

  const variables = { ...CLOUDFLARE, DATABASE_URL: url, TEST_CLOUDFLARE_URL: cloudflare.url };
  const start = () => startProcess(t, 'test/helpers/cloudflare/replica.js', variables);
  const first = start();
  const killed = once(first.child, 'close');
  cloudflare.faults.push({ on: /^PUT/, after: () => first.child.kill('SIGKILL'), delayMs: 50 });
  await killed;
  t.match(cloudflare.config?.ingress, [{ hostname: 'shop.example.com' }, { service: 'http_status:404' }]);
  t.strictSame(cloudflare.records, []);
  // As if the lease of the killed replica had run out.
  await database.db
    .updateTable('leases')
    .set({ expires_at: new Date(0) })
    .execute();

  const second = start();
  const record = { type: 'CNAME', name: 'shop.example.com', content: TARGET, proxied: true, comment: MARK };
  for (let i = 0; i < 200 && cloudflare.records.length === 0; i += 1) await sleep(100);
  t.match(cloudflare.records, [record]);
  t.equal(cloudflare.writes.filter((line) => line.startsWith('PUT')).length, 1, 'the rule was known to be its own');

  await request('DELETE', '/v1/projects/shop/services/web');
  for (let i = 0; i < 200 && cloudflare.config?.ingress?.length !== 1; i += 1) await sleep(100);
  t.strictSame([cloudflare.config, cloudflare.records], [{ ingress: [{ service: 'http_status:404' }] }, []]);
  t.notMatch(first.output() + second.output(), TOKEN.slice(0, 16));
});
