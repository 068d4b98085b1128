import t from 'tap';
import { makeApp, requester } from '../helpers/app.js';
import { databases } from '../helpers/database.js';
import { assertProblem } from '../helpers/problems.js';

for (const [name, open] of databases) {
  t.test(`services on ${name}`, async (t) => {
    const request = requester(await makeApp(t, await open(t)));

    t.test('a service gets the lowest free port, and the same one again', async (t) => {
      const first = await request('PUT', '/v1/projects/consilio/services/api');
      t.equal(first.status, 201);
      const { id, allocatedAt, updatedAt, ...rest } = first.body;
      t.match(id, /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
      t.equal(new Date(allocatedAt).toISOString(), allocatedAt);
      t.equal(updatedAt, allocatedAt);
      t.strictSame(rest, {
        port: 3100,
        project: 'consilio',
        service: 'api',
        environment: 'default',
        host: 'localhost',
        protocol: 'tcp',
        status: 'allocated',
        serviceType: null,
        description: null,
        cloudflareHostname: null,
        metadata: null,
        lastUsedAt: null,
        releasedAt: null,
      });
      const again = await request('PUT', '/v1/projects/consilio/services/api');
      t.equal(again.status, 200);
      t.strictSame(again.body, first.body);
      t.strictSame((await request('GET', '/v1/projects/consilio/services/api')).body, first.body);
    });

    t.test('a missing body, an empty one and {} are the same', async (t) => {
      for (const [body, headers] of [
        [undefined, {}],
        ['', { 'content-type': 'application/json' }],
        [{}, {}],
      ] as const) {
        const answer = await request('PUT', '/v1/projects/consilio/services/api', body, headers);
        t.equal(answer.status, 200);
        t.equal(answer.body.port, 3100);
      }
    });

    t.test('environments share the port numbers, hosts and protocols do not', async (t) => {
      const path = '/v1/projects/openhorizon/services/web';
      const get = async (query: string) => (await request('PUT', `${path}${query}`)).body.port;
      t.equal(await get(''), 3200);
      t.equal(await get('?environment=staging'), 3201);
      t.equal(await get('?environment=feature-x'), 3202);
      t.equal(await get('?host=db1.example.com'), 3200);
      t.equal(await get('?protocol=udp'), 3200);
      t.equal(await get('?protocol=udp&host=db1.example.com&environment=staging'), 3200);
      t.equal(await get('?environment=default&host=localhost&protocol=tcp'), 3200);
      t.equal((await request('GET', `${path}?environment=staging`)).body.port, 3201);
    });

    t.test('a look-up answers the lowest port of the key, and never allocates', async (t) => {
      const path = '/v1/projects/odin/services/worker';
      assertProblem(t, await request('GET', path), 'allocation-not-found');
      t.strictSame((await request('GET', '/v1/allocations?project=odin')).body.items, []);
      for (const port of [3320, 3310, 3330]) {
        await request('POST', '/v1/projects/odin/allocations', { service: 'worker', port });
      }
      t.equal((await request('GET', path)).body.port, 3310);
      t.equal((await request('PUT', path)).body.port, 3310);
    });

    t.test('releasing a service releases every port of the key, and is repeatable', async (t) => {
      const path = '/v1/projects/odin/services/worker';
      await request('PUT', `${path}?environment=staging`);
      const released = await request('DELETE', path);
      t.equal(released.status, 200);
      t.strictSame(
        released.body.items.map((item: { port: number; status: string }) => [item.port, item.status]),
        [
          [3310, 'released'],
          [3320, 'released'],
          [3330, 'released'],
        ],
      );
      t.strictSame((await request('DELETE', path)).body, { items: [] });
      t.equal((await request('GET', `${path}?environment=staging`)).body.port, 3300);
      t.equal((await request('PUT', path)).body.port, 3301);
    });

    t.test('an Accept of text/plain gets the bare number', async (t) => {
      const path = '/v1/projects/health-agent/services/agent';
      const text = { accept: 'text/plain' };
      for (const [method, status] of [
        ['PUT', 201],
        ['PUT', 200],
        ['GET', 200],
      ] as const) {
        const answer = await request(method, path, undefined, text);
        t.equal(answer.status, status);
        t.match(answer.headers['content-type'], /^text\/plain/);
        t.equal(answer.text, '3400');
      }
      assertProblem(
        t,
        await request('GET', '/v1/projects/health-agent/services/none', undefined, text),
        'allocation-not-found',
      );
      t.equal((await request('GET', path, undefined, { accept: '*/*' })).body.port, 3400);
      t.equal(
        (await request('GET', path, undefined, { accept: 'text/plain;q=0.5, application/json' })).body.port,
        3400,
      );
      assertProblem(t, await request('GET', path, undefined, { accept: 'image/png' }), 'not-acceptable');
    });

    t.test('descriptive fields that are given are applied to an existing allocation, and no others', async (t) => {
      const path = '/v1/projects/quiculum-monitor/services/ui';
      const first = await request('PUT', path, { description: 'First', metadata: { b: 1, a: { deep: true } } });
      t.equal(first.status, 201);
      const second = await request('PUT', path, { serviceType: 'http', cloudflareHostname: 'UI.Example.com' });
      t.equal(second.status, 200);
      const { updatedAt, ...rest } = second.body;
      t.ok(updatedAt >= first.body.updatedAt);
      t.strictSame(
        { ...rest, updatedAt: first.body.updatedAt },
        { ...first.body, serviceType: 'http', cloudflareHostname: 'ui.example.com' },
      );
      t.strictSame((await request('GET', path)).body, second.body);
    });

    t.test('null clears a field, and metadata is replaced as a whole', async (t) => {
      const path = '/v1/projects/quiculum-monitor/services/ui';
      const replaced = await request('PUT', path, { description: null, metadata: { c: [1, 'two', null] } });
      t.match(replaced.body, { serviceType: 'http', description: null });
      t.strictSame(replaced.body.metadata, { c: [1, 'two', null] });
      t.strictSame((await request('PUT', path, { metadata: {} })).body.metadata, {});
      t.equal((await request('PUT', path, { metadata: null })).body.metadata, null);
    });

    t.test('a repeated request with the same fields changes nothing, whatever their order', async (t) => {
      const path = '/v1/projects/quiculum-monitor/services/quiet';
      const first = await request('PUT', path, { metadata: { team: 'core', a: { z: 1, y: 2 } }, serviceType: 'http' });
      for (const body of [
        { metadata: { team: 'core', a: { z: 1, y: 2 } }, serviceType: 'http' },
        { serviceType: 'http', metadata: { a: { y: 2, z: 1 }, team: 'core' } },
      ]) {
        t.strictSame((await request('PUT', path, body)).body, first.body);
      }
    });

    t.test('a project without a range is refused in every call of a service', async (t) => {
      for (const method of ['PUT', 'GET', 'DELETE'] as const) {
        const problem = assertProblem(
          t,
          await request(method, '/v1/projects/nobody/services/api'),
          'project-not-found',
        );
        t.match(problem.detail, /nobody has no range.*PUT \/v1\/projects\/\{project\}/);
      }
    });

    t.test('a full range is refused with what to do, and a further range helps', async (t) => {
      const full = '/v1/projects/health-agent/services';
      const puts = Array.from({ length: 99 }, (_, i) => request('PUT', `${full}/s${i + 1}`));
      const ports = (await Promise.all(puts)).map(({ body }) => body.port).sort((a, b) => a - b);
      t.strictSame(
        ports,
        Array.from({ length: 99 }, (_, i) => 3401 + i),
      );
      const problem = assertProblem(t, await request('PUT', `${full}/one-more`), 'range-exhausted');
      t.match(problem.detail, /No port of health-agent \(3400–3499\) is free on localhost\/tcp\. Release one/);
      t.equal(problem.nextPortAvailableAt, null);
      t.equal((await request('PUT', `${full}/s50`)).status, 200, 'what is held is still answered');
      t.equal((await request('PUT', `${full}/one-more?protocol=udp`)).body.port, 3400, 'other spaces are not full');
      t.equal((await request('POST', '/v1/ranges', { project: 'health-agent', startPort: 4400 })).status, 201);
      t.equal((await request('PUT', `${full}/one-more`)).body.port, 4400);
      await request('DELETE', `${full}/s7`);
      t.equal((await request('PUT', `${full}/lowest-gap`)).body.port, 3407);
    });
  });
}
