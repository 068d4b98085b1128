import { realpath } from 'node:fs/promises';
import t from 'tap';
import type { ListeningPort } from '../../src/schemas/port.js';
import { makeApp, requester } from '../helpers/app.js';
import { openPostgres } from '../helpers/database.js';
import { ADMIN, bearer, makeKey, WITH_KEYS } from '../helpers/keys.js';
import { findFreeIn, listen, listenIn } from '../helpers/listeners.js';
import { clients, closeAtEnd, listenMcp } from '../helpers/mcp.js';

const linux = { skip: process.platform !== 'linux' };

t.test('who listens on a port of this machine', linux, async (t) => {
  const database = await openPostgres(t);
  const app = await makeApp(t, database);
  const request = requester(app);
  const describe = async (path: string | number) => (await request('GET', `/v1/ports/${path}`)).body;
  const folder = await realpath(t.testdir());

  t.test('a free port on which somebody listens is squatted', async (t) => {
    const port = await findFreeIn(3100);
    t.match(await describe(port), { state: 'free', listener: null });
    const { pid, end } = await listenIn(t, folder, '127.0.0.1', port);
    const listener = { process: 'node', pid, path: folder, address: '127.0.0.1' };
    t.match(await describe(port), { state: 'squatted', listener, range: { project: 'consilio' } });
    t.match(await describe(`${port}?protocol=udp`), { state: 'free', listener: null });
    t.match(await describe(`${port}?host=db1`), { state: 'free', listener: null }, 'another machine is not seen');
    await end();
    t.match(await describe(port), { state: 'free', listener: null }, 'it is looked up at each call');
  });

  t.test('a port that is held, or in no range, keeps its state', async (t) => {
    const port = await findFreeIn(3200);
    const held = { service: 'web', port };
    t.equal((await request('POST', '/v1/projects/openhorizon/allocations', held)).status, 201);
    await listen(t, '::', port);
    t.match(await describe(port), { state: 'allocated', listener: { pid: process.pid, address: '*' } });
    const elsewhere = await listen(t, '127.0.0.1', await findFreeIn(2100));
    t.match(await describe(elsewhere.port), { state: 'unmanaged', listener: { pid: process.pid } });
  });

  t.test('agents are told the same', async (t) => {
    const port = await findFreeIn(3300);
    const { pid } = await listenIn(t, folder, '::1', port);
    const client = await closeAtEnd(t, (clients[0] as (typeof clients)[0]).overHttp(await listenMcp(app)));
    const { structuredContent } = await client.callTool({ name: 'describe-port', arguments: { port } });
    const listener = { process: 'node', pid, path: folder, address: '::1' };
    t.match(structuredContent, { state: 'squatted', listener });
  });
});

t.test('where the ports of localhost are those of another machine, nothing of this one is told', linux, async (t) => {
  const variables = { PROBE_TARGETS: 'localhost=192.0.2.1' };
  const request = requester(await makeApp(t, await openPostgres(t), variables));
  const { port } = await listen(t, '127.0.0.1', await findFreeIn(3400));
  t.match((await request('GET', `/v1/ports/${port}`)).body, { state: 'free', listener: null });
});

t.test('a key learns who listens on the ports of its projects alone', linux, async (t) => {
  const request = requester(await makeApp(t, await openPostgres(t), WITH_KEYS));
  const odin = bearer((await makeKey(request, 'project', 'odin')).key);
  const reader = bearer((await makeKey(request, 'reader')).key);
  const own = await listen(t, '127.0.0.1', await findFreeIn(3300));
  const other = await listen(t, '127.0.0.1', await findFreeIn(3500));
  const unmanaged = await listen(t, '127.0.0.1', await findFreeIn(2200));
  const describe = async (port: number, who: Record<string, string>) =>
    (await request('GET', `/v1/ports/${port}`, undefined, who)).body;
  const seen = { listener: { pid: process.pid } };
  t.match(await describe(own.port, odin), { state: 'squatted', ...seen });
  t.match(await describe(other.port, odin), { state: 'free', listener: null });
  t.match(await describe(unmanaged.port, odin), { state: 'unmanaged', listener: null });
  for (const who of [ADMIN, reader]) {
    t.match(await describe(other.port, who), { state: 'squatted', ...seen });
    t.match(await describe(unmanaged.port, who), { state: 'unmanaged', ...seen });
  }
  const listed = async (who: Record<string, string>): Promise<number[]> =>
    (await request('GET', '/v1/listeners?limit=1000', undefined, who)).body.items.map(
      ({ port }: ListeningPort) => port,
    );
  const ports = [unmanaged, own, other].map(({ port }) => port);
  for (const who of [ADMIN, reader]) t.ok((await listed(who)).filter((port) => ports.includes(port)).length === 3);
  const listedToOdin = await listed(odin);
  t.ok(listedToOdin.includes(own.port));
  t.ok(listedToOdin.every((port) => port >= 3300 && port <= 3399));
});
