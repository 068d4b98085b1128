import { mkdir, realpath, rm, symlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import t, { type Test } from 'tap';
import { makeApp, requester } from '../../helpers/app.js';
import { openPostgres } from '../../helpers/database.js';
import { findFreeIn, listen, listenIn } from '../../helpers/listeners.js';

const linux = { skip: process.platform !== 'linux' };

const database = await openPostgres(t);
/** Seeded projects with their ranges; each test takes the next one. */
const projects = Object.entries({ consilio: 3100, openhorizon: 3200, odin: 3300, 'health-agent': 3400 }).values();

/** A project in which an environment lives in a folder, and holds a port on which nobody listens yet. */
async function setUp(t: Test, variables: Record<string, string> = {}, path?: string) {
  const request = requester(await makeApp(t, database, variables));
  const [project, start] = projects.next().value as [string, number];
  const root = path === undefined ? await realpath(t.testdir({ shop: { web: {} }, 'shop-2': {} })) : dirname(path);
  const home = path ?? join(root, 'shop');
  const port = await findFreeIn(start);
  const { status, body } = await request('POST', `/v1/projects/${project}/allocations`, { service: 'web', port });
  t.equal(status, 201);
  const services = [{ service: 'web' }];
  await request('PUT', `/v1/projects/${project}/environments/default`, { services, path: home });
  const audit = async () => (await request('POST', '/v1/audits', { project })).body;
  const read = async () => (await request('GET', `/v1/allocations/${body.id}`)).body;
  const checks = async () => (await request('GET', `/v1/allocations/${body.id}/health-checks`)).body.items;
  return { root, home, port, audit, read, checks };
}

t.test('a stranger on a held port is a finding, and neither in use nor healthy', linux, async (t) => {
  const { root, home, port, audit, read, checks } = await setUp(t);
  const own = await listenIn(t, join(home, 'web'), '127.0.0.1', port);
  t.match(await audit(), { inUse: 1, notRunning: 0, health: 100, conflicts: [] }, 'a folder below is its own');
  t.match(await read(), { status: 'in_use' });
  const { lastUsedAt } = await read();
  await own.end();

  const { pid, end } = await listenIn(t, join(root, 'shop-2'), '127.0.0.1', port);
  const actual = `node, pid ${pid}, in ${join(root, 'shop-2')}`;
  const found = await audit();
  t.match(found, { allocated: 1, inUse: 0, notRunning: 0, health: 0 });
  t.match(found.conflicts, [
    {
      kind: 'foreign-listener',
      port,
      host: 'localhost',
      project: 'consilio',
      service: 'web',
      environment: 'default',
      expected: `consilio/web listens, which lives in ${home}`,
      actual,
      detail:
        /Whoever started it should stop it, or give it a port of its own\. If it is web all the same, start it in /,
    },
  ]);
  t.equal(found.conflicts.length, 1);
  t.match(await read(), { status: 'allocated', lastUsedAt }, 'its service does not listen');
  t.match((await checks())[0], { outcome: 'refused', error: `not the service listens, but ${actual}` });
  await end();
  t.match((await audit()).conflicts, [{ kind: 'not-running', port }]);
});

t.test('links to the folder, and folders that are gone, are seen through', linux, async (t) => {
  const root = await realpath(t.testdir({ real: {} }));
  await symlink(join(root, 'real'), join(root, 'link'));
  const { port, audit } = await setUp(t, {}, join(root, 'link'));
  const linked = await listenIn(t, join(root, 'real'), '::1', port);
  t.match(await audit(), { inUse: 1, conflicts: [] });
  await linked.end();
  await mkdir(join(root, 'real', 'gone'));
  await listenIn(t, join(root, 'real', 'gone'), '::1', port);
  await rm(join(root, 'real', 'gone'), { recursive: true });
  t.match(await audit(), { inUse: 1, conflicts: [] });
});

t.test('who cannot be told from the service itself is not judged', linux, async (t) => {
  await t.test('a daemon, which lives in the root, and several of which one is its own', async (t) => {
    const { home, root, port, audit } = await setUp(t);
    const daemon = await listenIn(t, '/', '127.0.0.1', port);
    t.match(await audit(), { inUse: 1, health: 100, conflicts: [] });
    await daemon.end();
    // Nor is one beside which the service itself listens, on another address.
    await listenIn(t, root, '127.0.0.1', port);
    await listenIn(t, home, '127.0.0.2', port);
    t.match(await audit(), { inUse: 1, conflicts: [] });
  });
  await t.test('the port of another machine', async (t) => {
    const { root, port, audit } = await setUp(t, { PROBE_TARGETS: 'localhost=192.0.2.1', PROBE_TIMEOUT_MS: '50' });
    await listenIn(t, root, '127.0.0.1', port);
    const { conflicts } = await audit();
    t.notOk(conflicts.find(({ kind }: { kind: string }) => kind === 'foreign-listener'));
  });
  await t.test('an environment whose folder is not on record', async (t) => {
    const request = requester(await makeApp(t, database));
    const port = await findFreeIn(3500);
    await request('POST', '/v1/projects/quiculum-monitor/allocations', { service: 'web', port });
    await listen(t, '127.0.0.1', port);
    t.match((await request('POST', '/v1/audits', { project: 'quiculum-monitor' })).body, {
      inUse: 1,
      health: 100,
      conflicts: [],
    });
  });
});
