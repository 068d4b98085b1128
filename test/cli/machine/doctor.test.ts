import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { realpath } from 'node:fs/promises';
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { callCli } from '../../helpers/cli.js';
import { diagnose } from '../../helpers/diagnose.js';
import { makeFolder } from '../../helpers/folder.js';
import { findClosedPort, listenIn } from '../../helpers/listeners.js';
import { serveApp } from '../../helpers/served.js';

const linux = { skip: process.platform !== 'linux' };

t.test('a machine on which nothing is wrong is told so line by line, and nothing is started', async (t) => {
  const folder = await makeFolder(t, { 'CLAUDE.md': 'Use port-allocator.' });
  const variables = { PORT_ALLOCATOR_DATA_DIR: join(folder, 'data') };
  const { code, stdout, stderr } = await callCli(['doctor'], { variables, folder });
  t.same([code, stderr], [0, '']);
  for (const line of [
    /^✓ Node .* is new enough\.$/m,
    /^✓ No service runs\. The next command starts one\.$/m,
    /^✓ .*\/data can be created\.$/m,
    /^✓ This folder is shop, environment default\.$/m,
    /^✓ CLAUDE\.md tells agents of Port Allocator\.$/m,
  ]) {
    t.match(stdout, line);
  }
  t.notMatch(stdout, '✗');
  t.notOk(existsSync(join(folder, 'data')));
});

t.test('what is wrong is told with its remedy', async (t) => {
  const folder = await makeFolder(t, { 'AGENTS.md': 'Be brief.', file: '' });
  const variables = { PORT_ALLOCATOR_DATA_DIR: join(folder, 'file') };
  const { code, stdout } = await callCli(['doctor'], { variables, folder });
  t.equal(code, 1);
  t.match(stdout, /^✗ .*\/file is no folder\.\n {2}Move it away, /m);
  t.match(stdout, /^✗ AGENTS\.md does not tell .*\n {2}Add to AGENTS\.md:\n {2}- Never choose a port yourself/m);
});

t.test('a manifest with an error is told with its line, and the other checks go on', async (t) => {
  const folder = await makeFolder(t, { 'ports.yaml': 'project: shop\nservises: {}\n' });
  const { of } = await diagnose(t, { PORT_ALLOCATOR_DATA_DIR: join(folder, 'data') }, folder);
  t.match(of('project'), [{ level: 'wrong', detail: /ports\.yaml:2:/ }]);
  t.match(of('service'), [{ level: 'right' }]);
});

t.test('a process outside of the folder that listens on a port of it is a stranger', linux, async (t) => {
  const { variables, request } = await serveApp(t);
  const folder = await makeFolder(t);
  const inside = await listenIn(t, folder);
  const outside = await listenIn(t, await realpath('/tmp'));
  for (const port of [inside.port, outside.port]) {
    await request('POST', '/v1/ranges', { project: 'shop', startPort: port - (port % 100) });
    const body = { service: `on-${port}`, port };
    t.equal((await request('POST', '/v1/projects/shop/allocations', body)).status, 201);
  }
  const { of } = await diagnose(t, variables, folder);
  t.match(of('strangers'), [{ level: 'wrong', detail: `(pid ${outside.pid}) listens on it in ` }]);
  t.equal(of('strangers').length, 1, 'and not the process in the folder');

  const gets = await callCli(['port', 'web'], { variables, folder });
  t.equal(gets.code, 0, gets.stderr);
  const clone = await diagnose(t, variables, await makeFolder(t));
  t.match(clone.of('project'), [{ detail: /^This folder is shop, environment default-\w{4}\.$/ }]);
  t.same(clone.of('strangers'), [], 'what runs in the first clone is no stranger in the second');
});

t.test('a service at PORT_ALLOCATOR_URL may be out of reach, refuse the key, or have another time', async (t) => {
  const folder = await makeFolder(t);
  const { url } = await serveApp(t, { ADMIN_API_KEY: 'a-key-of-at-least-thirty-two-characters' });
  const closed = `http://127.0.0.1:${await findClosedPort()}`;
  const gone = await diagnose(t, { PORT_ALLOCATOR_URL: closed }, folder);
  t.match(gone.of('service'), [{ level: 'wrong', detail: /^Nobody listens on/ }]);
  const keyless = await diagnose(t, { PORT_ALLOCATOR_URL: url, PORT_ALLOCATOR_API_KEY: 'wrong' }, folder);
  t.match(keyless.of('service'), [{ level: 'wrong', detail: /refuses PORT_ALLOCATOR_API_KEY/ }]);
  t.match(keyless.of('clock'), [{ level: 'right' }]);
  const late = { PORT_ALLOCATOR_URL: await startLateProxy(t, url), PORT_ALLOCATOR_API_KEY: 'wrong' };
  t.match((await diagnose(t, late, folder)).of('clock'), [{ level: 'wrong', detail: /36\d\d s ahead of/ }]);
});

/** Passes requests on to a service, with a `Date` of an hour ago. */
async function startLateProxy(t: Test, url: string): Promise<string> {
  const server = createServer((incoming, outgoing) => {
    const { method, headers, url: path = '' } = incoming;
    const passed = request(url + path, { method, headers }, (answer) => {
      const date = new Date(Date.now() - 3_600_000).toUTCString();
      outgoing.writeHead(answer.statusCode ?? 500, { ...answer.headers, date });
      answer.pipe(outgoing);
    });
    incoming.pipe(passed);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
