import { sql } from 'kysely';
import t from 'tap';
import { makeApp, requester } from '../helpers/app.js';
import { databases } from '../helpers/database.js';

const TEXT = { accept: 'text/plain' };

for (const [name, open] of databases) {
  t.test(`on ${name}`, async (t) => {
    const database = await open(t);
    const request = requester(await makeApp(t, database));
    const put = (project: string, environment: string, services: object[], headers?: Record<string, string>) =>
      request('PUT', `/v1/projects/${project}/environments/${environment}`, { services }, headers);
    const portsOf = (body: { items: { service: string; port: number }[] }) =>
      body.items.map(({ service, port }) => `${service} ${port}`);

    t.test('a stack gets its ports in the order given, and the same ones again', async (t) => {
      const first = await put('consilio', 'feature-a', [
        { service: 'web', serviceType: 'http' },
        { service: 'api' },
        { service: 'db', metadata: { engine: 'pg' } },
      ]);
      t.equal(first.status, 201);
      t.same(portsOf(first.body), ['web 3100', 'api 3101', 'db 3102']);
      t.match(first.body.items[0], { environment: 'feature-a', serviceType: 'http', project: 'consilio' });
      const again = await put('consilio', 'feature-a', [{ service: 'db' }, { service: 'web' }, { service: 'api' }]);
      t.equal(again.status, 200);
      t.same(portsOf(again.body), ['db 3102', 'web 3100', 'api 3101']);
      const grown = await put('consilio', 'feature-a', [{ service: 'queue' }, { service: 'web', description: 'new' }]);
      t.equal(grown.status, 201);
      t.same(portsOf(grown.body), ['queue 3103', 'web 3100']);
      t.equal(grown.body.items[1].description, 'new');
      const copy = await put('consilio', 'feature-b', [{ service: 'web' }]);
      t.same(portsOf(copy.body), ['web 3104']);
      const read = await request('GET', '/v1/projects/consilio/environments/feature-a');
      t.same(portsOf(read.body), ['web 3100', 'api 3101', 'db 3102', 'queue 3103']);
    });

    t.test('one call releases the whole stack, and may be repeated', async (t) => {
      const url = '/v1/projects/consilio/environments/feature-a';
      const released = await request('DELETE', url);
      t.equal(released.status, 200);
      t.same(portsOf(released.body), ['web 3100', 'api 3101', 'db 3102', 'queue 3103']);
      t.ok(released.body.items.every(({ status }: { status: string }) => status === 'released'));
      t.same((await request('DELETE', url)).body, { items: [] });
      t.match((await request('GET', url)).body, { items: [], expiresAt: null });
      t.equal((await request('GET', '/v1/projects/consilio/environments/feature-b')).body.items.length, 1);
    });

    t.test('a stack that does not fit gets no port at all', async (t) => {
      await put(
        'odin',
        'full',
        Array.from({ length: 98 }, (_, i) => ({ service: `s${i}` })),
      );
      const held = await put('odin', 'small', [{ service: 'a', description: 'before' }]);
      t.equal(held.status, 201);
      const refused = await put('odin', 'small', [
        { service: 'a', description: 'after' },
        { service: 'b' },
        { service: 'c' },
      ]);
      t.match([refused.status, refused.body.code], [409, 'range-exhausted']);
      t.match(refused.body.detail, /2 ports of odin \(3300–3399\) are needed on localhost\/tcp, and 1 are free/);
      const left = await request('GET', '/v1/projects/odin/environments/small');
      t.same(left.body.items, held.body.items);
      t.equal((await put('odin', 'small', [{ service: 'b' }])).body.items[0].port, 3399);
    });

    t.test('as text the answer is dotenv lines, which a shell can read', async (t) => {
      const services = [{ service: 'web-app' }, { service: 'api.v2' }];
      const started = await put('openhorizon', 'main', services, TEXT);
      t.equal(started.status, 201);
      t.match(started.headers['content-type'], /^text\/plain/);
      t.equal(started.text, 'WEB_APP_PORT=3200\nAPI_V2_PORT=3201\n');
      await request('POST', '/v1/projects/openhorizon/allocations', { service: 'web-app', environment: 'main' });
      const read = await request('GET', '/v1/projects/openhorizon/environments/main', undefined, TEXT);
      t.equal(read.text, 'WEB_APP_PORT=3200\nAPI_V2_PORT=3201\n', 'the lowest where a service holds several');
      t.equal((await request('GET', '/v1/projects/openhorizon/environments/none', undefined, TEXT)).text, '');
    });

    t.test('services whose names make no distinct variables are refused before anything is allocated', async (t) => {
      const services = [{ service: 'a-b' }, { service: 'a.b' }, { service: '3scale' }, { service: 'fine' }];
      const refused = await put('health-agent', 'main', services, TEXT);
      t.match([refused.status, refused.body.code], [409, 'dotenv-name-conflict']);
      t.match(refused.body.detail, /A_B_PORT would be that of a-b and a\.b; 3SCALE_PORT of 3scale begins with a digit/);
      t.same((await request('GET', '/v1/projects/health-agent/environments/main')).body.items, []);
      t.equal((await put('health-agent', 'main', services)).status, 201);
      const read = await request('GET', '/v1/projects/health-agent/environments/main', undefined, TEXT);
      t.match([read.status, read.body.code], [409, 'dotenv-name-conflict']);
    });

    t.test('the list shows which environments are no longer used', async (t) => {
      await put('quiculum-monitor', 'old', [{ service: 'web' }, { service: 'api' }]);
      await request('PUT', '/v1/projects/quiculum-monitor/services/web?environment=old&protocol=udp&host=db1');
      await put('quiculum-monitor', 'new', [{ service: 'web' }]);
      await put('quiculum-monitor', 'gone', [{ service: 'web' }]);
      await request('DELETE', '/v1/projects/quiculum-monitor/environments/gone');
      await sql`update port_allocations set allocated_at = clock_timestamp() - interval '2 days',
                last_used_at = '2026-01-31T12:00:00Z', status = 'in_use'
                where environment = 'old' and service = 'web' and protocol = 'tcp'`.execute(database.db);
      const url = '/v1/projects/quiculum-monitor/environments';
      const { items } = (await request('GET', url)).body;
      t.match(items, [
        { environment: 'new', allocatedPorts: 1, inUsePorts: 0, lastUsedAt: null },
        {
          project: 'quiculum-monitor',
          environment: 'old',
          allocatedPorts: 3,
          inUsePorts: 1,
          lastUsedAt: '2026-01-31T12:00:00.000Z',
          spaces: [
            { host: 'db1', protocol: 'udp', allocatedPorts: 1 },
            { host: 'localhost', protocol: 'tcp', allocatedPorts: 2 },
          ],
        },
      ]);
      t.ok(items[1].ageSeconds >= 172_800 && items[1].ageSeconds < 172_900);
      t.ok(items[1].firstAllocatedAt < items[1].lastAllocatedAt);
      const page = await request('GET', `${url}?limit=1`);
      t.match(page.headers.link, /rel="next"/);
      const rest = await request('GET', `${url}?limit=1&cursor=${page.body.nextCursor}`);
      t.same(
        [...page.body.items, ...rest.body.items].map(({ environment }) => environment),
        ['new', 'old'],
      );
      t.equal(rest.body.nextCursor, null);
      t.same((await request('GET', '/v1/projects/meta-supervisor/environments')).body, { items: [], nextCursor: null });
    });

    t.test('bad input changes nothing', async (t) => {
      const twice = await put('meta-supervisor', 'x', [{ service: 'a' }, { service: 'b' }, { service: 'a' }]);
      t.match([twice.status, twice.body.errors[0].pointer], [400, '/services/2/service']);
      for (const services of [
        [],
        [{}],
        [{ service: 'A' }],
        [{ service: 'a', port: 3000 }],
        [{ service: 'a', x: 1 }],
        'a',
      ]) {
        t.equal((await put('meta-supervisor', 'x', services as object[])).status, 400, JSON.stringify(services));
      }
      t.equal((await request('PUT', '/v1/projects/meta-supervisor/environments/x')).status, 400);
      t.equal((await put('meta-supervisor', 'Bad Name', [{ service: 'a' }])).status, 400);
      for (const method of ['PUT', 'GET', 'DELETE'] as const) {
        const body = method === 'PUT' ? { services: [{ service: 'a' }] } : undefined;
        const unknown = await request(method, '/v1/projects/nobody/environments/x', body);
        t.match([unknown.status, unknown.body.code], [404, 'project-not-found'], method);
      }
      t.equal((await request('GET', '/v1/projects/nobody/environments')).body.code, 'project-not-found');
      t.same((await request('GET', '/v1/projects/meta-supervisor/environments')).body.items, []);
    });
  });
}
