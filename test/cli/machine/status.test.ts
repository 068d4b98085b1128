import { existsSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { callCli } from '../../helpers/cli.js';
import { makeSeededDir } from '../../helpers/database.js';
import { makeFolder } from '../../helpers/folder.js';
import { findClosedPort } from '../../helpers/listeners.js';
import { serveApp } from '../../helpers/served.js';
import { startService } from '../../helpers/service.js';

t.test('where no service runs none is started, and what was worked out is told with the reason', async (t) => {
  const folder = await makeFolder(t, { 'package.json': '{ "name": "@acme/shop" }' });
  const dataDir = join(folder, 'data');
  const variables = { PORT_ALLOCATOR_DATA_DIR: dataDir, PORT_ALLOCATOR_ENVIRONMENT: 'staging' };
  const { code, stdout, stderr } = await callCli(['status'], { folder, variables });
  t.same([code, stderr], [0, '']);
  t.same(stdout.replaceAll(folder, 'FOLDER').split('\n'), [
    'service      none runs; the next command starts it',
    '             data in FOLDER/data',
    'project      shop, from the name in FOLDER/package.json',
    'environment  staging, named by PORT_ALLOCATOR_ENVIRONMENT',
    'folder       FOLDER',
    '',
  ]);
  const json = JSON.parse((await callCli(['status', '--json'], { folder, variables })).stdout);
  t.match(json, {
    service: { state: 'none', pid: null },
    project: 'shop',
    environment: 'staging',
    path: folder,
    ports: null,
  });
  t.notOk(existsSync(dataDir), 'not even the folder was made');
});

t.test('a service of the data folder tells who it is, and how full the range is', async (t) => {
  const dataDir = await makeSeededDir(t);
  const service = await startService(t, { DATA_DIR: dataDir }).ready();
  await service.call('PUT', '/v1/projects/consilio/services/web');
  await service.call('PUT', '/v1/projects/consilio/services/web?environment=other');
  const variables = { PORT_ALLOCATOR_DATA_DIR: dataDir, PORT_ALLOCATOR_PROJECT: 'consilio' };
  const call = (...args: string[]) => callCli(['status', '--environment', 'other', ...args], { variables });
  const { stdout } = await call();
  const url = await service.url;
  t.match(stdout, `service      running in the foreground, pid ${service.child.pid}, ${url}, since 20`);
  t.match(stdout, /\nports {8}1 held here; range 3100-3199 has 2 of 100 held \(2 %\)\nlast audit {3}not checked yet; /);
  t.match(JSON.parse((await call('--json')).stdout), {
    service: { state: 'running', mode: 'foreground', pid: service.child.pid, url, dataDir, problem: null },
    ports: { held: 1, ranges: [{ startPort: 3100, allocatedPorts: 2 }] },
  });
  const { id } = (await service.call('POST', '/v1/audits', { project: 'consilio' })).body;
  t.match(
    (await call()).stdout,
    /\nlast audit {3}20\S+, asked for by anonymous; [\d.]+ % of what it probed was in use\n$/,
  );
  t.match(JSON.parse((await call('--json')).stdout), { ports: { lastAudit: { id, requestedBy: 'anonymous' } } });
  await service.kill('SIGKILL');
  t.match((await call()).stdout, /^service {6}none runs/, 'what a killed service has left is no service');
});

t.test('a second clone is told its own environment, and not that of the first', async (t) => {
  const { variables } = await serveApp(t);
  const [first, clone] = [await makeFolder(t), await makeFolder(t)];
  t.match(await callCli(['port', 'web'], { variables, folder: first }), { code: 0 });
  const call = async (folder: string) => (await callCli(['status'], { variables, folder })).stdout;
  t.match(await call(first), /\nenvironment {2}default, as always outside of a git repository\n(.*\n)*ports {8}1 held/);
  const before =
    /\nenvironment {2}(default-\w{4}), because default is on record for another folder\n(.*\n)*ports {8}0 held/;
  t.match(await call(clone), before);
  t.match(await callCli(['port', 'web'], { variables, folder: clone }), { code: 0 });
  t.match(await call(clone), /\nenvironment {2}default-\w{4}, (.*\n)*ports {8}1 held/);
});

t.test('of a service at PORT_ALLOCATOR_URL the same is told, and why it cannot be used', async (t) => {
  const { variables, url } = await serveApp(t);
  const { code, stdout } = await callCli(['status', '--project', 'nobody'], { variables });
  t.equal(code, 0);
  t.match(stdout, new RegExp(`^service {6}at ${url}\\n {13}version \\d`));
  t.match(stdout, /\nports {8}none held here; the project is created with its first port\n$/);
  const closed = `http://127.0.0.1:${await findClosedPort()}`;
  const gone = await callCli(['status', '--json'], { variables: { PORT_ALLOCATOR_URL: closed } });
  t.match(JSON.parse(gone.stdout), { service: { state: 'unreachable', url: closed, problem: /^Nobody listens on/ } });
});
