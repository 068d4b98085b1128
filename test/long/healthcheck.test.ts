import { once } from 'node:events';
import { createServer } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { makeApp } from '../helpers/app.js';
import { makeSeededDir, openPostgres } from '../helpers/database.js';
import { runScript, startService } from '../helpers/service.js';

/** Ports that browsers and `fetch` refuse to connect to. */
const REFUSED_BY_FETCH = [10080, 6000, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697];

t.test('a service on a port that browsers refuse says so, and a second one says that it runs there', async (t) => {
  const port = await findFree(REFUSED_BY_FETCH);
  const variables = { PORT: String(port), DATA_DIR: await makeSeededDir(t) };
  const service = startService(t, variables);
  await service.url;
  while (!service.output().includes('"msg":"Ready"')) await sleep(20);
  const warnings = service.output().match(/.*"level":40.*/g) ?? [];
  t.match(warnings, [`Browsers and fetch() refuse to connect to port ${port}, so nobody can open the dashboard there`]);
  t.equal(warnings.length, 1);
  const second = await runScript(t, 'src/main.js', { ...variables, DATA_DIR: await makeSeededDir(t) });
  t.match(second, { code: 1, output: `PORT: another Port Allocator is running on ${port} already.` });
  t.equal(await service.kill('SIGTERM'), 0);
});

t.test('a service on another port does not', async (t) => {
  const service = startService(t, { DATA_DIR: await makeSeededDir(t) });
  await service.ready();
  t.notMatch(service.output(), /refuse to connect/);
});

t.test('the health check of the image asks the service wherever it is configured to listen', async (t) => {
  const database = await openPostgres(t);
  const ports = [await findFree(REFUSED_BY_FETCH), await findFree(REFUSED_BY_FETCH.slice(1))];
  for (const [host, given] of [
    ['127.0.0.1', { HOST: '127.0.0.1', BASE_PATH: '/ports' }],
    ['::1', { HOST: '[::1]' }],
    ['127.0.0.1', { HOST: 'LOCALHOST' }],
    ['0.0.0.0', { HOST: '0.0.0.0', ALLOW_UNAUTHENTICATED: 'true' }],
    ['::', { HOST: '0:0:0:0:0:0:0:0', ADMIN_API_KEY: 'k'.repeat(32) }],
  ] as const) {
    const port = ports[host.includes(':') ? 1 : 0] as number; // 10080 and 6000, unless they are in use
    await t.rejects(fetch(`http://127.0.0.1:${port}`), { cause: { message: 'bad port' } });
    const variables = { ...given, PORT: String(port), DATA_DIR: t.testdirName };
    const app = await makeApp(t, database, variables);
    await app.listen({ host, port });
    t.strictSame(await runScript(t, 'src/operator/healthcheck.js', variables), { code: 0, output: '' }, given.HOST);
    await app.close();
    if (given.HOST !== '127.0.0.1') continue;
    t.match(await runScript(t, 'src/operator/healthcheck.js', variables), { code: 1, output: /ECONNREFUSED/ });
  }
});

t.test('the health check fails if the answer is no success', async (t) => {
  const server = createServer((_request, response) => response.writeHead(503).end()).listen(0, '127.0.0.1');
  t.teardown(() => server.close());
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  const answered = await runScript(t, 'src/operator/healthcheck.js', { PORT: String(port) });
  t.match(answered, { code: 1, output: /answered 503/ });
});

async function findFree(ports: readonly number[]): Promise<number> {
  for (const port of ports) {
    const server = createServer().listen(port);
    const isFree = await once(server, 'listening').then(
      () => true,
      () => false,
    );
    await new Promise((resolve) => server.close(resolve));
    if (isFree) return port;
  }
  throw new Error('All of these ports are in use');
}
