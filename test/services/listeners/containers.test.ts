import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { loadConfig } from '../../../src/config.js';
import { LocalListeners } from '../../../src/services/listeners/local-listeners.js';
import { makeApp, requester } from '../../helpers/app.js';
import { openPostgres } from '../../helpers/database.js';
import { findFreeIn, listen } from '../../helpers/listeners.js';

const linux = { skip: process.platform !== 'linux' };

/** The path of a socket may have 107 characters. */
async function makeShortFolder(t: Test): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'engine-'));
  t.teardown(() => rm(folder, { recursive: true }));
  return folder;
}

/** A server that speaks what is documented of Docker's API, on a socket in a folder of the test. */
async function startEngine(t: Test, answer: () => { status?: number; body: string } | null) {
  const socket = join(await makeShortFolder(t), 'engine.sock');
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(String(request.url));
    const answered = answer();
    if (answered === null) return; // never answers
    response.writeHead(answered.status ?? 200, { 'content-type': 'application/json' }).end(answered.body);
  }).listen(socket);
  await once(server, 'listening');
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  return { socket, asked };
}

const container = (name: string, ports: object[], labels: object = {}) => ({
  Id: 'a'.repeat(64),
  Names: [`/${name}`],
  Labels: labels,
  Ports: ports,
});

function openListeners(socket: string) {
  const warnings: object[] = [];
  const log = { warn: (data: object) => void warnings.push(data) };
  return { listeners: new LocalListeners(loadConfig({ CONTAINER_SOCKET: socket }), log), warnings };
}

t.test('an import names a service after the container that publishes its port', async (t) => {
  const body = JSON.stringify([container('shop-web-1', [{ PrivatePort: 80, PublicPort: 3120, Type: 'tcp' }])]);
  const { socket } = await startEngine(t, () => ({ body }));
  const database = await openPostgres(t);
  const request = requester(await makeApp(t, database, { CONTAINER_SOCKET: socket }));
  const proxy = (port: number, pid: number) =>
    `LISTEN 0 4096 0.0.0.0:${port} 0.0.0.0:* users:(("docker-proxy",pid=${pid},fd=7))`;
  const text = [proxy(3120, 4101), proxy(3121, 4120)].join('\n');
  const { body: report } = await request('POST', '/v1/imports', text, { 'content-type': 'text/plain' });
  t.match(report.items, [{ allocation: { service: 'shop-web-1' } }, { allocation: { service: 'port-3121' } }]);
});

t.test("a container's port is told as the container's", linux, async (t) => {
  const [tcp, udp, own, unpublished] = [
    await findFreeIn(3100),
    await findFreeIn(3200),
    await findFreeIn(3300),
    await findFreeIn(3400),
  ];
  const labels = { 'com.docker.compose.project.working_dir': '/home/kim/shop' };
  const body = JSON.stringify([
    container('shop-web-1', [{ IP: '0.0.0.0', PrivatePort: 80, PublicPort: tcp, Type: 'tcp' }], labels),
    container('dns', [{ IP: '127.0.0.1', PrivatePort: 53, PublicPort: udp, Type: 'udp' }]),
    container('beside', [{ IP: '172.17.0.1', PrivatePort: 80, PublicPort: own, Type: 'tcp' }]),
    container('inside', [{ PrivatePort: unpublished, Type: 'tcp' }]),
    container('none', []),
  ]);
  const { socket, asked } = await startEngine(t, () => ({ body }));
  const { listeners, warnings } = openListeners(socket);
  const shop = { process: 'shop-web-1', pid: null, path: '/home/kim/shop', address: '*' };
  t.match(await listeners.find(tcp), shop, 'also where the kernel forwards it and nobody listens');
  t.match(await listeners.find(udp, 'udp'), { process: 'dns', pid: null, path: null, address: '127.0.0.1' });
  t.equal(await listeners.find(udp), null);
  t.equal(await listeners.find(unpublished), null);
  await listen(t, '127.0.0.1', own);
  t.match(await listeners.find(own), { pid: process.pid }, 'a process that listens itself stays');
  t.equal(await listeners.findStranger(tcp, '/home/kim/shop'), null);
  t.match(await listeners.findStranger(tcp, '/home/kim/other'), shop);
  t.ok((await listeners.listening())?.has(tcp));
  t.same(asked, ['/containers/json'], 'the engine is asked once a second');
  const listed = await listeners.list();
  t.match(
    listed.filter(({ port }) => port === tcp || port === udp),
    [
      { port: tcp, protocol: 'tcp', ...shop },
      { port: udp, protocol: 'udp', process: 'dns' },
    ],
  );
  t.same(warnings, []);
});

t.test('an engine that does not answer is logged once, and stops nobody', linux, async (t) => {
  const { port } = await listen(t, '127.0.0.1');
  const engines: [string, Parameters<typeof startEngine>[1], RegExp][] = [
    ['silent', () => null, /no answer in 1000 ms/],
    ['not allowed', () => ({ status: 403, body: '{}' }), /status 403/],
    ['no JSON', () => ({ body: 'Hello' }), /JSON/],
    ['no list', () => ({ body: '{}' }), /no list/],
    ['too large', () => ({ body: `["${'x'.repeat(9_000_000)}"]` }), /more than 8388608 bytes/],
  ];
  for (const [name, answer, reason] of engines) {
    await t.test(name, async (t) => check(t, (await startEngine(t, answer)).socket, reason));
  }
  await t.test('no socket', async (t) => check(t, join(await makeShortFolder(t), 'none.sock'), /ENOENT/));

  async function check(t: Test, socket: string, reason: RegExp) {
    const { listeners, warnings } = openListeners(socket);
    for (let i = 0; i < 3; i++) t.match(await listeners.find(port), { pid: process.pid });
    t.match(warnings, [{ socket, reason }]);
    t.equal(warnings.length, 1);
  }
});

t.test('an engine that has gone tells no ports any more', linux, async (t) => {
  const port = await findFreeIn(3500);
  const body = JSON.stringify([container('web', [{ IP: '::', PrivatePort: 80, PublicPort: port, Type: 'tcp' }])]);
  const { socket } = await startEngine(t, () => ({ body }));
  const { listeners, warnings } = openListeners(socket);
  t.match(await listeners.find(port), { process: 'web', address: '*' });
  await rm(socket);
  await new Promise((resolve) => setTimeout(resolve, 1100));
  t.equal(await listeners.find(port), null);
  t.equal(warnings.length, 1);
});
