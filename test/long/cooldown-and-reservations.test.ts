import { sql } from 'kysely';
import t from 'tap';
import { executeCommands } from '../../src/allocator/transaction.js';
import { makeApp, requester } from '../helpers/app.js';
import { databases } from '../helpers/database.js';

for (const [name, open] of databases) {
  t.test(`on ${name}`, async (t) => {
    const database = await open(t);
    const request = requester(await makeApp(t, database));
    const service = (project: string, service: string, query = '') =>
      `/v1/projects/${project}/services/${service}${query}`;
    const portOf = async (project: string, name: string, query = '') =>
      (await request('PUT', service(project, name, query))).body.port;
    const cool = (startPort: number) => request('PATCH', `/v1/ranges/${startPort}`, { reuseCooldownSeconds: 600 });
    /** Ends the cooldown of everything that was released, by the database's clock. */
    const pass = () =>
      sql`update port_allocations set released_at = released_at - interval '1 hour'
          where released_at is not null`.execute(database.db);

    t.test('a cooling port is kept from other services, and the service that released it gets it back', async (t) => {
      await cool(3100);
      t.equal(await portOf('consilio', 'a'), 3100);
      await request('DELETE', service('consilio', 'a'));
      t.match((await request('GET', '/v1/ports/3100')).body, { state: 'cooling', range: { coolingPorts: 1 } });
      t.equal(await portOf('consilio', 'b'), 3101);
      t.equal(await portOf('consilio', 'a', '?environment=staging'), 3102, 'another environment is another holder');
      const taken = await request('POST', '/v1/projects/consilio/allocations', { service: 'c', port: 3100 });
      t.match([taken.status, taken.body.code], [409, 'port-taken']);
      t.match(taken.body.holder, { kind: 'cooling', project: 'consilio', service: 'a', environment: 'default' });
      t.ok(Date.parse(taken.body.nextPortAvailableAt) > Date.now());
      t.equal(await portOf('consilio', 'a'), 3100);
      await request('DELETE', service('consilio', 'a'));
      await pass();
      t.equal(await portOf('consilio', 'c'), 3100);
    });

    t.test('the SQL functions respect the cooldown', async (t) => {
      await cool(3300);
      const call = async (query: ReturnType<typeof sql<{ port: number }>>) =>
        (await query.execute(database.db)).rows[0]?.port;
      t.equal(await call(sql`select allocate_port('odin', 'a') as port`), 3300);
      await sql`select release_port(3300)`.execute(database.db);
      t.equal(await call(sql`select find_available_port('odin') as port`), 3301);
      t.equal(await call(sql`select allocate_port('odin', 'b') as port`), 3301);
      t.equal(await call(sql`select allocate_port('odin', 'a') as port`), 3300);
      await sql`select release_port(3300)`.execute(database.db);
      t.match(
        (
          await sql`select cooling_ports, available_ports from port_range_utilization where start_port = 3300`.execute(
            database.db,
          )
        ).rows,
        [{ cooling_ports: 1, available_ports: 98 }],
      );
      await request('POST', '/v1/projects/odin/reservations', { ttlSeconds: 60, port: 3300, service: 'a' });
      await sql`select count(allocate_port('odin', 's' || n)) from generate_series(1, 98) n`.execute(database.db);
      const refused = await sql`select find_available_port('odin')`.execute(database.db).catch((error) => error);
      t.match(refused, { code: 'PA002', hint: /The next one comes free by itself at \d{4}-/ });
    });

    t.test('a reservation takes a cooling port by number alone, and for its own service', async (t) => {
      await cool(3200);
      const reserve = (body: object) =>
        request('POST', '/v1/projects/openhorizon/reservations', { ttlSeconds: 60, ...body });
      await portOf('openhorizon', 'a');
      await request('DELETE', service('openhorizon', 'a'));
      t.equal((await reserve({ service: 'a' })).body.port, 3201, 'the lowest free one is always one to claim');
      for (const body of [{ port: 3200 }, { port: 3200, service: 'b' }]) {
        t.match((await reserve(body)).body, { code: 'port-taken', holder: { kind: 'cooling' } });
      }
      const own = await reserve({ port: 3200, service: 'a' });
      t.equal(own.status, 201);
      t.match((await request('GET', '/v1/ranges/3200')).body, {
        reservedPorts: 2,
        coolingPorts: 0,
        excludedPorts: 0,
        availablePorts: 98,
      });
      t.equal(await portOf('openhorizon', 'a'), 3202, 'reserved: it goes to nobody but who claims it');

      const url = `/v1/reservations/${own.body.id}`;
      for (const claim of [{ service: 'b' }, { environment: 'staging' }]) {
        const refused = await request('POST', `${url}/claim`, claim);
        t.match([refused.status, refused.body.holder.kind], [409, 'cooling'], JSON.stringify(claim));
      }
      await request('DELETE', url);
      t.equal((await request('GET', '/v1/ports/3200')).body.state, 'cooling', 'it cools on when that ends');
      const again = await reserve({ port: 3200, service: 'a' });
      const key = {
        project: 'openhorizon',
        service: 'b',
        environment: 'default',
        host: 'localhost',
        protocol: 'tcp',
      } as const;
      const [cancelled, other] = await executeCommands(database.db, 'openhorizon', [
        { kind: 'cancel-reservation', reservationId: again.body.id },
        { kind: 'allocate', key, details: {}, port: 3200, idempotency: null },
      ]);
      t.match([cancelled, other], [{ ok: true }, { ok: false, error: { code: 'port-taken' } }], 'in one batch too');
      const last = await reserve({ port: 3200, service: 'a' });
      t.equal((await request('POST', `/v1/reservations/${last.body.id}/claim`)).body.port, 3200);
    });

    t.test('a reservation can be claimed even if the cooldown has been raised since', async (t) => {
      await request('POST', '/v1/ranges', { project: 'raised', startPort: 5000 });
      await portOf('raised', 'a');
      await request('DELETE', service('raised', 'a'));
      const { body } = await request('POST', '/v1/projects/raised/reservations', { ttlSeconds: 60 });
      t.equal(body.port, 5000);
      await cool(5000);
      t.match((await request('POST', `/v1/reservations/${body.id}/claim`, { service: 'b' })).body, { port: 5000 });
    });

    t.test('an environment gets its own ports back, and no other does', async (t) => {
      await cool(3400);
      const put = (environment: string, ...services: string[]) =>
        request('PUT', `/v1/projects/health-agent/environments/${environment}`, {
          services: services.map((service) => ({ service })),
        });
      const portsOf = (answer: { body: { items: { port: number }[] } }) => answer.body.items.map(({ port }) => port);
      t.same(portsOf(await put('x', 'web', 'api')), [3400, 3401]);
      await request('DELETE', '/v1/projects/health-agent/environments/x');
      t.same(portsOf(await put('y', 'web', 'api')), [3402, 3403]);
      t.same(portsOf(await put('x', 'api', 'new', 'web')), [3401, 3404, 3400]);
    });

    t.test('the refusal for an exhausted range says when its next port becomes free', async (t) => {
      await cool(3500);
      const full = await request('PUT', '/v1/projects/quiculum-monitor/environments/full', {
        services: Array.from({ length: 97 }, (_, i) => ({ service: `s${i}` })),
      });
      t.equal(full.status, 201);
      await portOf('quiculum-monitor', 'gone');
      const gone = (await request('DELETE', service('quiculum-monitor', 'gone'))).body.items[0];
      const coolsUntil = Date.parse(gone.releasedAt) + 600_000;
      await request('POST', '/v1/projects/quiculum-monitor/reservations', { ttlSeconds: 9000 });
      const soon = await request('POST', '/v1/projects/quiculum-monitor/reservations', { ttlSeconds: 300 });
      const exhausted = await request('PUT', service('quiculum-monitor', 'late'));
      t.match([exhausted.status, exhausted.body.code], [409, 'range-exhausted']);
      t.equal(exhausted.body.nextPortAvailableAt, soon.body.expiresAt, 'the end of a reservation');
      await request('POST', `/v1/reservations/${soon.body.id}/claim`, { service: 'z' });
      const later = await request('POST', '/v1/projects/quiculum-monitor/reservations', { ttlSeconds: 60 });
      t.equal(Date.parse(later.body.nextPortAvailableAt), coolsUntil, 'or of a cooldown');
      await request('POST', '/v1/projects/quiculum-monitor/reservations', {
        ttlSeconds: 60,
        port: gone.port,
        service: 'gone',
      });
      const both = await request('PUT', service('quiculum-monitor', 'late'));
      t.equal(Date.parse(both.body.nextPortAvailableAt), coolsUntil, 'or of both');
    });

    t.test('without a cooldown the lowest gap comes first', async (t) => {
      t.equal(await portOf('meta-supervisor', 'a'), 3000);
      t.equal(await portOf('meta-supervisor', 'b'), 3001);
      await request('DELETE', service('meta-supervisor', 'a'));
      t.match((await request('GET', '/v1/ranges/3000')).body, { coolingPorts: 0, availablePorts: 99 });
      t.equal(await portOf('meta-supervisor', 'c'), 3000);
    });
  });
}
