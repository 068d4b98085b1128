import { sql } from 'kysely';
import t from 'tap';
import { makeApp, requester } from '../helpers/app.js';
import { databases } from '../helpers/database.js';

const NOBODY = '00000000-0000-4000-8000-000000000000';

for (const [name, open] of databases) {
  t.test(`on ${name}`, async (t) => {
    const database = await open(t);
    const request = requester(await makeApp(t, database));
    const reserve = (project: string, body: object, headers?: Record<string, string>) =>
      request('POST', `/v1/projects/${project}/reservations`, body, headers);
    /** Makes a reservation expire now, by the database's clock. */
    const expire = (id: string) =>
      sql`update port_reservations set created_at = created_at - interval '1 hour',
            expires_at = clock_timestamp() - interval '1 second' where id = ${id}`.execute(database.db);

    t.test('a reservation holds the lowest free port until it is claimed', async (t) => {
      const reserved = await reserve('consilio', { ttlSeconds: 60, service: 'api', reservedBy: 'ci', reason: 'test' });
      t.equal(reserved.status, 201);
      t.equal(reserved.headers.location, `/v1/reservations/${reserved.body.id}`);
      t.match(reserved.body, {
        port: 3100,
        project: 'consilio',
        service: 'api',
        host: 'localhost',
        protocol: 'tcp',
        reservedBy: 'ci',
        reason: 'test',
        status: 'active',
        allocationId: null,
      });
      t.equal(Date.parse(reserved.body.expiresAt) - Date.parse(reserved.body.createdAt), 60_000);
      t.equal((await request('PUT', '/v1/projects/consilio/services/other')).body.port, 3101);

      const claimed = await request('POST', `/v1/reservations/${reserved.body.id}/claim`, { serviceType: 'http' });
      t.equal(claimed.status, 201);
      t.equal(claimed.headers.location, `/v1/allocations/${claimed.body.id}`);
      t.match(claimed.body, { port: 3100, service: 'api', environment: 'default', serviceType: 'http' });
      const again = await request('POST', `/v1/reservations/${reserved.body.id}/claim`);
      t.equal(again.status, 200);
      t.same(again.body, claimed.body);
      const read = await request('GET', `/v1/reservations/${reserved.body.id}`);
      t.match(read.body, { status: 'claimed', allocationId: claimed.body.id });
      t.same((await request('PUT', '/v1/projects/consilio/services/api')).body, claimed.body);
    });

    t.test('a particular port is reserved, on its own host and protocol', async (t) => {
      t.match((await reserve('odin', { ttlSeconds: 60, port: 3350 })).body, { port: 3350, service: null });
      t.match((await reserve('odin', { ttlSeconds: 60, port: 3350, protocol: 'udp' })).body, { protocol: 'udp' });
      t.match((await reserve('odin', { ttlSeconds: 60, port: 3350, host: 'DB1.' })).body, { host: 'db1' });
      const taken = await reserve('odin', { ttlSeconds: 60, port: 3350 });
      t.match([taken.status, taken.body.code, taken.body.holder.kind], [409, 'port-taken', 'reservation']);
      const allocated = await request('POST', '/v1/projects/odin/allocations', { service: 'a', port: 3350 });
      t.match([allocated.status, allocated.body.code], [409, 'port-taken']);
      t.match(allocated.body.holder, { kind: 'reservation', project: 'odin' });
      const outside = await reserve('odin', { ttlSeconds: 60, port: 3400 });
      t.match([outside.status, outside.body.code], [422, 'port-outside-range']);
      const unknown = await reserve('nobody', { ttlSeconds: 60 });
      t.match([unknown.status, unknown.body.code], [404, 'project-not-found']);
    });

    t.test('cancelling a reservation frees its port, and is repeatable', async (t) => {
      const { body } = await reserve('openhorizon', { ttlSeconds: 60 });
      const cancelled = await request('DELETE', `/v1/reservations/${body.id}`);
      t.match([cancelled.status, cancelled.body.status], [200, 'cancelled']);
      t.same((await request('DELETE', `/v1/reservations/${body.id}`)).body, cancelled.body);
      t.equal((await reserve('openhorizon', { ttlSeconds: 60 })).body.port, body.port);
      const claim = await request('POST', `/v1/reservations/${body.id}/claim`, { service: 'a' });
      t.match([claim.status, claim.body.code], [409, 'reservation-ended']);
      const renewal = await request('PATCH', `/v1/reservations/${body.id}`, { ttlSeconds: 60 });
      t.match([renewal.status, renewal.body.code], [409, 'reservation-ended']);
    });

    t.test('an expired reservation blocks nothing, swept or not, and cannot be claimed or renewed', async (t) => {
      const { body } = await reserve('health-agent', { ttlSeconds: 60, service: 'a' });
      await expire(body.id);
      t.equal((await request('GET', `/v1/reservations/${body.id}`)).body.status, 'expired');
      t.equal((await request('GET', `/v1/ports/${body.port}`)).body.state, 'free');
      const claim = await request('POST', `/v1/reservations/${body.id}/claim`);
      t.match([claim.status, claim.body.code], [410, 'reservation-expired']);
      const renewal = await request('PATCH', `/v1/reservations/${body.id}`, { ttlSeconds: 60 });
      t.match([renewal.status, renewal.body.code], [410, 'reservation-expired']);
      t.match((await request('DELETE', `/v1/reservations/${body.id}`)).body, { status: 'expired' });

      const next = await reserve('health-agent', { ttlSeconds: 60, port: body.port });
      t.match([next.status, next.body.port], [201, body.port], 'the unswept row does not stand in the way');
      await expire(next.body.id);
      t.equal((await request('PUT', '/v1/projects/health-agent/services/b')).body.port, body.port);
    });

    t.test('renewing counts from now', async (t) => {
      const { body } = await reserve('quiculum-monitor', { ttlSeconds: 2 });
      const renewed = await request('PATCH', `/v1/reservations/${body.id}`, { ttlSeconds: 3600 });
      t.equal(renewed.status, 200);
      t.ok(Date.parse(renewed.body.expiresAt) >= Date.parse(body.createdAt) + 3_600_000);
      t.same((await request('GET', `/v1/reservations/${body.id}`)).body, renewed.body);
    });

    t.test('summaries and ports count a reservation, once', async (t) => {
      const before = (await request('GET', '/v1/projects/shared-services/summary')).body;
      const { body } = await reserve('shared-services', { ttlSeconds: 60 });
      const during = (await request('GET', '/v1/projects/shared-services/summary')).body;
      t.equal(during.reservedPorts, before.reservedPorts + 1);
      t.equal(during.availablePorts, before.availablePorts - 1);
      t.match((await request('GET', `/v1/ports/${body.port}`)).body, { state: 'reserved', reservation: body });
      await request('POST', `/v1/reservations/${body.id}/claim`, { service: 'a' });
      const after = (await request('GET', '/v1/projects/shared-services/summary')).body;
      t.equal(after.reservedPorts, before.reservedPorts);
      t.equal(after.allocatedPorts, before.allocatedPorts + 1);
    });

    t.test('a claim needs a service, and cannot change the host or protocol', async (t) => {
      const { body } = await reserve('meta-supervisor', { ttlSeconds: 60, host: 'db1' });
      for (const [claim, pointer] of [
        [{}, '/service'],
        [{ service: 'a', host: 'db2' }, '/host'],
        [{ service: 'a', protocol: 'udp' }, '/protocol'],
        [{ service: 'a', port: 3000 }, '/port'],
        [{ service: 'A b' }, '/service'],
      ] as const) {
        const refused = await request('POST', `/v1/reservations/${body.id}/claim`, claim);
        t.match([refused.status, refused.body.errors[0].pointer], [400, pointer]);
      }
      t.equal((await request('GET', `/v1/reservations/${body.id}`)).body.status, 'active');
      const claimed = await request('POST', `/v1/reservations/${body.id}/claim`, { service: 'a', host: 'DB1' });
      t.match([claimed.status, claimed.body.host], [201, 'db1']);
    });

    t.test('a retry under one Idempotency-Key reserves and claims once', async (t) => {
      const key = { 'idempotency-key': 'retry-1' };
      const first = await reserve('shared-services', { ttlSeconds: 60 }, key);
      const retry = await reserve('shared-services', { ttlSeconds: 60 }, key);
      t.match([retry.status, retry.headers['idempotent-replayed']], [201, 'true']);
      t.same(retry.body, first.body);
      const reused = await reserve('shared-services', { ttlSeconds: 61 }, key);
      t.match([reused.status, reused.body.code], [422, 'idempotency-key-reused']);
      const url = `/v1/reservations/${first.body.id}/claim`;
      const claim = { 'idempotency-key': 'retry-2' };
      const claimed = await request('POST', url, { service: 'once' }, claim);
      const reclaimed = await request('POST', url, { service: 'once' }, claim);
      t.match([claimed.status, reclaimed.status, reclaimed.headers['idempotent-replayed']], [201, 201, 'true']);
      t.same(reclaimed.body, claimed.body);
    });

    t.test('bad input changes nothing', async (t) => {
      for (const body of [
        {},
        { ttlSeconds: 0 },
        { ttlSeconds: 2_592_001 },
        { ttlSeconds: '60' },
        { ttlSeconds: 1.5 },
        { ttlSeconds: 60, port: 70_000 },
        { ttlSeconds: 60, service: 'Bad Name' },
        { ttlSeconds: 60, reason: 'a\nb' },
        { ttlSeconds: 60, unknown: 1 },
      ]) {
        const refused = await reserve('consilio', body);
        t.match([refused.status, refused.body.code], [400, 'validation-failed'], JSON.stringify(body));
      }
      for (const [method, url] of [
        ['GET', `/v1/reservations/${NOBODY}`],
        ['DELETE', `/v1/reservations/${NOBODY}`],
      ] as const) {
        const missing = await request(method, url);
        t.match([missing.status, missing.body.code], [404, 'reservation-not-found']);
      }
      t.equal((await request('POST', `/v1/reservations/${NOBODY}/claim`, {})).body.code, 'reservation-not-found');
      t.equal((await request('GET', '/v1/reservations/no-id')).status, 400);
      t.equal((await request('GET', '/v1/reservations?cursor=junk')).status, 400);
      t.equal((await request('GET', '/v1/reservations?service=a')).status, 400);
    });
  });
}
