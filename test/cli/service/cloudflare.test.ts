import type { AddressInfo } from 'node:net';
import t from 'tap';
import { makeApp, requester } from '../../helpers/app.js';
import { callCli } from '../../helpers/cli.js';
import { CLOUDFLARE, startCloudflare } from '../../helpers/cloudflare/api.js';
import { openEmbedded } from '../../helpers/database.js';

t.test('plan, apply and status tell what is to be done, what was done, and when', async (t) => {
  const cloudflare = await startCloudflare(t);
  const app = await makeApp(t, await openEmbedded(t), CLOUDFLARE, null, { cloudflareUrl: cloudflare.url });
  await app.listen({ host: '127.0.0.1', port: 0 });
  const { port } = app.server.address() as AddressInfo;
  const pa = (...args: string[]) =>
    callCli(['cloudflare', ...args], { variables: { PORT_ALLOCATOR_URL: `http://127.0.0.1:${port}` } });
  const path = '/v1/projects/shop/services/web?createProject=true';
  const { body } = await requester(app)('PUT', path, { cloudflareHostname: 'shop.example.com' });
  const made =
    `+ rule    shop.example.com  http://localhost:${body.port}\n` +
    '+ record  shop.example.com  f70ff985-a4ef-4643-bbbc-4a0ed4fc8415.cfargotunnel.com\n';
  const told = { signal: null, stderr: '' };
  t.strictSame(await pa('plan', '--exit-code'), { code: 2, stdout: `${made}Planned: 2 change(s).\n`, ...told });
  t.strictSame(await pa('apply'), { code: 0, stdout: `${made}Made: 2 change(s).\n`, ...told });
  const done = 'The tunnel and its DNS records are in step with the registry.\n';
  t.strictSame(await pa('plan', '--exit-code'), { code: 0, stdout: done, ...told });
  t.match(JSON.parse((await pa('status', '--json')).stdout), { configured: true, pendingChanges: 0 });
  t.match((await pa('status')).stdout, /^last in step {2}20/m);
  t.match(await pa('apply', '--exit-code'), { code: 2, stderr: /^--exit-code is about plan, and not apply\./ });
  cloudflare.faults.push({ on: /^GET/, status: 500, message: 'Down' });
  t.match(await pa('plan'), { code: 1, stdout: '', stderr: /Cloudflare answered 500: Down/ });
});
