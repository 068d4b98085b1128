import { realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import t from 'tap';
import { makeApp, requester } from '../helpers/app.js';
import { openPostgres } from '../helpers/database.js';
import { findFreeIn, listenIn } from '../helpers/listeners.js';
import { clients, closeAtEnd, listenMcp } from '../helpers/mcp.js';

/** Longer than a list of ports, and a warning that was found out, are kept. */
const FORGOTTEN_MS = 2100;

t.test('answers warn of a stranger on a held port', { skip: process.platform !== 'linux' }, async (t) => {
  const database = await openPostgres(t);
  const app = await makeApp(t, database);
  const request = requester(app);
  const root = await realpath(t.testdir({ shop: {}, other: {} }));
  const home = join(root, 'shop');
  const port = await findFreeIn(3300);
  const allocations = '/v1/projects/odin/allocations';
  const service = '/v1/projects/odin/services/web';
  const environment = '/v1/projects/odin/environments/default';
  const { id } = (await request('POST', allocations, { service: 'web', port })).body;
  const put = { services: [{ service: 'web' }, { service: 'api' }], path: home };
  t.equal((await request('PUT', environment, put)).status, 201);
  t.notOk((await request('GET', service)).body.warnings, 'nobody listens');

  const stranger = await listenIn(t, join(root, 'other'), '127.0.0.1', port);
  await wait(FORGOTTEN_MS);
  const warning = `node (pid ${stranger.pid}) in ${root}/other listens on ${port}, and odin/web lives in ${home}. Whoever started it should stop it, or give it a port of its own; if it is web all the same, start it in ${home}.`;

  t.test('over REST', async (t) => {
    for (const [method, path, body] of [
      ['GET', service],
      ['PUT', service, {}],
      ['GET', `/v1/allocations/${id}`],
    ] as const) {
      t.same((await request(method, path, body)).body.warnings, [warning], `${method} ${path}`);
    }
    for (const answer of [await request('GET', environment), await request('PUT', environment, put)]) {
      const warnings = answer.body.items.map((one: { service: string; warnings?: string[] }) => [
        one.service,
        one.warnings,
      ]);
      t.same(
        warnings.sort(),
        [
          ['api', undefined],
          ['web', [warning]],
        ].sort(),
      );
    }
    t.equal((await request('GET', service, undefined, { accept: 'text/plain' })).text, String(port));
  });

  t.test('over MCP', async (t) => {
    const client = await closeAtEnd(t, (clients[0] as (typeof clients)[0]).overHttp(await listenMcp(app)));
    const call = async (name: string, input: object) =>
      (await client.callTool({ name, arguments: { project: 'odin', ...input } })).structuredContent;
    t.same((await call('get-port', { service: 'web' })).warnings, [warning]);
    const stack = { project: 'odin', environment: 'default', services: ['web', 'api'] };
    for (const [name, input] of [
      ['get-port', { project: 'odin', service: 'web' }],
      ['get-environment-ports', stack],
    ] as const) {
      const { content } = await client.callTool({ name, arguments: input });
      t.equal(content[0].text.split('\n').at(-1), `Warning: ${warning}`, name);
    }
    const { items } = await call('get-environment-ports', stack);
    t.same([items[0].warnings, items[1].warnings], [[warning], undefined]);
    const number = await findFreeIn(3300);
    const { pid } = await listenIn(t, join(root, 'other'), '127.0.0.1', number);
    const allocated = await call('allocate-port', { service: 'more', port: number });
    t.match(allocated.warnings, [new RegExp(`^node \\(pid ${pid}\\) in .* listens on ${number}, and odin/more lives`)]);
  });

  t.test('a stranger that has gone, and the service itself, are no reason to warn', async (t) => {
    await stranger.end();
    await wait(FORGOTTEN_MS);
    t.notOk((await request('GET', service)).body.warnings);
    await listenIn(t, home, '127.0.0.1', port);
    await wait(FORGOTTEN_MS);
    t.notOk((await request('GET', service)).body.warnings);
  });

  t.test('a number that was asked for, and on which somebody listens, is told at once', async (t) => {
    const number = await findFreeIn(3400);
    const { pid } = await listenIn(t, join(root, 'other'), '::1', number);
    const asked = { service: 'web', port: number };
    const post = () => request('POST', '/v1/projects/health-agent/allocations', asked, { 'idempotency-key': 'one' });
    const first = await post();
    const already = `node (pid ${pid}) in ${root}/other listens on ${number} already. If that is not web, take another port, or ask whoever started it to stop it.`;
    t.same(first.body.warnings, [already]);
    const { warnings, ...allocation } = first.body;
    t.same((await post()).body, allocation, 'a warning is stored nowhere');
    t.notOk((await request('GET', '/v1/projects/health-agent/services/web')).body.warnings, 'no folder is known');
  });

  t.test('a port of another machine is not looked at', async (t) => {
    const elsewhere = requester(await makeApp(t, database, { PROBE_TARGETS: 'localhost=192.0.2.1' }));
    const number = await findFreeIn(3500);
    await listenIn(t, join(root, 'other'), '127.0.0.1', number);
    const path = '/v1/projects/quiculum-monitor/allocations';
    const { status, body } = await elsewhere('POST', path, { service: 'web', port: number });
    t.equal(status, 201);
    t.notOk(body.warnings);
  });
});
