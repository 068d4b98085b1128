import { sql } from 'kysely';
import t from 'tap';
import { makeApp, requester } from '../helpers/app.js';
import { openPostgres } from '../helpers/database.js';
import { assertInvalid } from '../helpers/problems.js';
import { insertReservation } from '../helpers/rows.js';

t.test('the owner of a port', async (t) => {
  const { db } = await openPostgres(t);
  // Another test may listen on a port of this machine just then.
  const request = requester(await makeApp(t, { db }, { PROBE_TARGETS: 'localhost=192.0.2.1' }));
  const describe = async (path: string) => (await request('GET', `/v1/ports/${path}`)).body;
  const put = async (path: string) => (await request('PUT', `/v1/projects/${path}`)).body;

  t.test('a port that no range covers is unmanaged', async (t) => {
    for (const port of [1, 2999, 8080, 65535]) {
      t.strictSame(await describe(String(port)), {
        port,
        host: 'localhost',
        protocol: 'tcp',
        state: 'unmanaged',
        range: null,
        allocation: null,
        reservation: null,
        excluded: null,
        listener: null,
      });
    }
  });

  t.test('a port that nobody holds is free, in its range', async (t) => {
    t.strictSame(await describe('3199?host=DB1&protocol=udp'), {
      port: 3199,
      host: 'db1',
      protocol: 'udp',
      state: 'free',
      range: (await request('GET', '/v1/ranges/3100?host=db1&protocol=udp')).body,
      allocation: null,
      reservation: null,
      excluded: null,
      listener: null,
    });
  });

  t.test('a held port is allocated, and in use once a probe found it listening', async (t) => {
    const allocation = await put('consilio/services/api');
    t.match(await describe('3100'), { state: 'allocated', allocation, reservation: null });
    t.match(await describe('3100?host=db1'), { state: 'free', allocation: null });
    t.match(await describe('3100?protocol=udp'), { state: 'free', allocation: null });
    await sql`update port_allocations set status = 'in_use', last_used_at = now() where id = ${allocation.id}`.execute(
      db,
    );
    const inUse = await describe('3100');
    t.match(inUse, { state: 'in_use', allocation: { id: allocation.id, status: 'in_use' } });
    t.equal(inUse.range.inUsePorts, 1);
    await request('DELETE', `/v1/allocations/${allocation.id}`);
    t.match(await describe('3100'), { state: 'free', allocation: null }, 'history holds nothing');
  });

  t.test('a reserved port is answered with its reservation', async (t) => {
    const id = await insertReservation(db, { port: 3250, project: 'openhorizon', service: 'soon', seconds: 3600 });
    const { state, reservation, allocation } = await describe('3250');
    t.equal(state, 'reserved');
    t.equal(allocation, null);
    const { createdAt, expiresAt, ...rest } = reservation;
    t.ok(Date.parse(expiresAt) > Date.parse(createdAt));
    t.strictSame(rest, {
      id,
      port: 3250,
      project: 'openhorizon',
      service: 'soon',
      host: 'localhost',
      protocol: 'tcp',
      reservedBy: null,
      reason: null,
      status: 'active',
      allocationId: null,
    });
    await sql`update port_reservations set expires_at = clock_timestamp() - interval '1 second' where id = ${id}`.execute(
      db,
    );
    t.match(await describe('3250'), { state: 'free', reservation: null }, 'an expired one holds nothing');
  });

  t.test('a port that was just released cools down', async (t) => {
    await request('PATCH', '/v1/ranges/3300', { reuseCooldownSeconds: 3600 });
    const { id } = await put('odin/services/a');
    await request('DELETE', `/v1/allocations/${id}`);
    t.match(await describe('3300'), { state: 'cooling', allocation: null, reservation: null });
    await sql`update port_allocations set released_at = released_at - interval '1 hour' where id = ${id}`.execute(db);
    t.match(await describe('3300'), { state: 'free' });
  });

  t.test('a number that is no port is refused', async (t) => {
    for (const port of ['0', '65536', '-1', 'http', '3100.5', '%F0%9F%98%80', '99999999999999999999']) {
      assertInvalid(t, await request('GET', `/v1/ports/${port}`), '/path/port');
    }
    assertInvalid(t, await request('GET', '/v1/ports/3100?host=a%2Fb'), '/query/host');
    assertInvalid(t, await request('GET', '/v1/ports/3100?project=odin'), '/query/project');
  });
});
