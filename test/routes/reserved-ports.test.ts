import { sql } from 'kysely';
import t from 'tap';
import { makeApp, requester } from '../helpers/app.js';
import { openPostgres } from '../helpers/database.js';
import { assertProblem } from '../helpers/problems.js';
import { insertReservation } from '../helpers/rows.js';

t.test('the effect of reservations on allocations', async (t) => {
  const { db } = await openPostgres(t);
  const request = requester(await makeApp(t, { db }));
  const put = async (path: string) => (await request('PUT', `/v1/projects/${path}`)).body;

  t.test('an active reservation is skipped, on its own host and protocol only', async (t) => {
    await insertReservation(db, { port: 3100, project: 'consilio', seconds: 3600 });
    t.equal((await put('consilio/services/a')).port, 3101);
    t.equal((await put('consilio/services/a?host=db1')).port, 3100);
    t.equal((await put('consilio/services/a?protocol=udp')).port, 3100);
  });

  t.test('a refusal names the reservation that holds the port', async (t) => {
    const id = await insertReservation(db, { port: 3150, project: 'consilio', service: 'next', seconds: 3600 });
    const answer = await request('POST', '/v1/projects/consilio/allocations', { service: 'a', port: 3150 });
    const problem = assertProblem(t, answer, 'port-taken');
    t.strictSame(problem.holder, { kind: 'reservation', id, project: 'consilio', service: 'next', environment: null });
    t.match(problem.detail, `is held by consilio/next, by reservation ${id}.`);
  });

  t.test('a reservation is counted once, as reserved', async (t) => {
    const counted = { allocatedPorts: 1, reservedPorts: 2, coolingPorts: 0, availablePorts: 97, utilization: 1 };
    t.match((await request('GET', '/v1/ranges/3100')).body, counted);
    t.match((await request('GET', '/v1/projects/consilio/summary')).body, counted);
    t.match((await request('GET', '/v1/ranges/3100?host=db1')).body, { allocatedPorts: 1, reservedPorts: 0 });
  });

  t.test('a port both allocated and reserved is counted once, as allocated', async (t) => {
    await insertReservation(db, { port: 3101, project: 'consilio', seconds: 3600 });
    t.match((await request('GET', '/v1/ranges/3100')).body, {
      allocatedPorts: 1,
      reservedPorts: 2,
      availablePorts: 97,
    });
  });

  t.test('an expired one never blocks anything, swept or not', async (t) => {
    await insertReservation(db, { port: 3200, project: 'openhorizon', seconds: -1 });
    t.match((await request('GET', '/v1/ranges/3200')).body, { reservedPorts: 0, availablePorts: 100 });
    t.equal((await put('openhorizon/services/a')).port, 3200);
    await insertReservation(db, { port: 3210, project: 'openhorizon', seconds: -1 });
    const answer = await request('POST', '/v1/projects/openhorizon/allocations', { service: 'b', port: 3210 });
    t.equal(answer.status, 201);
  });

  t.test('claimed and cancelled reservations block nothing', async (t) => {
    for (const status of ['claimed', 'cancelled']) {
      const id = await insertReservation(db, { port: 3300, project: 'odin', seconds: 3600 });
      await sql`update port_reservations set status = ${status}, ended_at = now() where id = ${id}`.execute(db);
    }
    t.equal((await put('odin/services/a')).port, 3300);
  });

  t.test('the refusal for a range exhausted by reservations says when the first one ends', async (t) => {
    await Promise.all(Array.from({ length: 99 }, (_, i) => put(`health-agent/services/s${i}`)));
    const id = await insertReservation(db, { port: 3499, project: 'health-agent', seconds: 1800 });
    const { rows } = await sql<{ at: Date }>`
      select expires_at as at from port_reservations where id = ${id}`.execute(db);
    const problem = assertProblem(t, await request('PUT', '/v1/projects/health-agent/services/x'), 'range-exhausted');
    t.equal(problem.nextPortAvailableAt, rows[0]?.at.toISOString());
  });

  t.test('a reserved port that is cooling down is not given to the service that released it', async (t) => {
    await request('PATCH', '/v1/ranges/3500', { reuseCooldownSeconds: 3600 });
    const { id } = await put('quiculum-monitor/services/a');
    await request('DELETE', `/v1/allocations/${id}`);
    await insertReservation(db, { port: 3500, project: 'quiculum-monitor', seconds: 3600 });
    t.equal((await put('quiculum-monitor/services/a')).port, 3501);
    t.match((await request('GET', '/v1/ranges/3500')).body, { reservedPorts: 1, coolingPorts: 0, availablePorts: 98 });
  });

  t.test('a range with an active reservation cannot be deleted, one with an expired one can', async (t) => {
    await insertReservation(db, { port: 3000, project: 'meta-supervisor', seconds: 3600, host: 'db1' });
    const problem = assertProblem(t, await request('DELETE', '/v1/ranges/3000'), 'range-in-use');
    t.match(problem.detail, '0 allocation(s) and 1 reservation(s)');
    await sql`update port_reservations set expires_at = now() where port = 3000`.execute(db);
    t.equal((await request('DELETE', '/v1/ranges/3000')).status, 204);
  });
});
