import { sql } from 'kysely';
import t from 'tap';
import { makeApp, requester } from '../helpers/app.js';
import { openPostgres } from '../helpers/database.js';
import { assertInvalid, assertProblem } from '../helpers/problems.js';

t.test('Idempotency-Key', async (t) => {
  const { db } = await openPostgres(t);
  const request = requester(await makeApp(t, { db }));
  const allocate = (project: string, key: string, body: unknown, headers: Record<string, string> = {}) =>
    request('POST', `/v1/projects/${project}/allocations`, body, { 'idempotency-key': key, ...headers });
  const ports = async (project: string) =>
    (await request('GET', `/v1/allocations?project=${project}&protocol=tcp`)).body.items.map(
      (a: { port: number }) => a.port,
    );

  t.test('a retry gets the first answer again, with a header that says so', async (t) => {
    const first = await allocate('consilio', 'k1', { service: 'api', metadata: { b: 1, a: [2] } });
    t.equal(first.status, 201);
    t.equal(first.headers['idempotent-replayed'], undefined);
    const retry = await allocate('consilio', 'k1', { service: 'api', metadata: { b: 1, a: [2] } });
    t.equal(retry.status, 201);
    t.equal(retry.headers['idempotent-replayed'], 'true');
    t.equal(retry.headers.location, first.headers.location);
    t.strictSame(retry.body, first.body);
    t.strictSame(await ports('consilio'), [3100]);
  });

  t.test('the order of fields, the spelling of the host and explicit defaults make no difference', async (t) => {
    const json = { 'content-type': 'application/json' };
    const first = await allocate('consilio', 'k2', '{"service":"a","metadata":{"x":1,"y":{"p":1,"q":2}}}', json);
    for (const body of [
      '{"metadata":{"y":{"q":2,"p":1},"x":1},"service":"a"}',
      ' { "service" : "a", "environment": "default", "metadata":{"x":1.0,"y":{"p":1,"q":2}}, "host":"127.0.0.1" }',
    ]) {
      const retry = await allocate('consilio', 'k2', body, json);
      t.strictSame(retry.body, first.body, body);
      t.equal(retry.headers['idempotent-replayed'], 'true');
    }
  });

  t.test('another request under the same key is refused', async (t) => {
    const before = await ports('consilio');
    for (const body of [{ service: 'other' }, { service: 'api', port: 3100 }, { service: 'api', description: 'x' }]) {
      const problem = assertProblem(t, await allocate('consilio', 'k1', body), 'idempotency-key-reused');
      t.match(problem.detail, '"k1"');
    }
    const range = { project: 'consilio' };
    const answer = await request('POST', '/v1/ranges', range, { 'idempotency-key': 'k1' });
    assertProblem(t, answer, 'idempotency-key-reused');
    t.strictSame(await ports('consilio'), before);
  });

  t.test('a key belongs to its project', async (t) => {
    const there = await allocate('odin', 'k1', { service: 'other' });
    t.equal(there.status, 201);
    t.equal(there.body.port, 3300);
  });

  t.test('a retry gets the first answer even if the port has been released since', async (t) => {
    const first = await allocate('openhorizon', 'k', { service: 'a' });
    await request('DELETE', `/v1/allocations/${first.body.id}`);
    t.strictSame((await allocate('openhorizon', 'k', { service: 'a' })).body, first.body);
    t.strictSame(await ports('openhorizon'), []);
  });

  t.test('refusals are not stored: the same key works once the reason for the refusal is gone', async (t) => {
    const taken = await allocate('health-agent', 'holder', { service: 'a', port: 3450 });
    const wanted = { service: 'b', port: 3450 };
    assertProblem(t, await allocate('health-agent', 'k', wanted), 'port-taken');
    await request('DELETE', `/v1/allocations/${taken.body.id}`);
    const answer = await allocate('health-agent', 'k', wanted);
    t.equal(answer.status, 201);
    t.equal(answer.headers['idempotent-replayed'], undefined);
    assertInvalid(t, await allocate('health-agent', 'k3', { service: 'B' }), '/service');
    t.equal((await allocate('health-agent', 'k3', { service: 'b' })).status, 201);
    assertProblem(t, await allocate('nobody', 'k4', { service: 'b' }), 'project-not-found');
    await request('POST', '/v1/ranges', { project: 'nobody' });
    t.equal((await allocate('nobody', 'k4', { service: 'b' })).status, 201);
  });

  t.test('a key has no effect after 24 hours, and is deleted', async (t) => {
    const age = (interval: string) =>
      sql`
      update idempotency_keys set created_at = clock_timestamp() - ${interval}::interval where project = 'quiculum-monitor'`.execute(
        db,
      );
    const first = await allocate('quiculum-monitor', 'k', { service: 'a' });
    await age('23 hours 59 minutes');
    t.strictSame((await allocate('quiculum-monitor', 'k', { service: 'a' })).body, first.body);
    await age('24 hours 1 second');
    const later = await allocate('quiculum-monitor', 'k', { service: 'a' });
    t.equal(later.body.port, 3501);
    t.equal(later.headers['idempotent-replayed'], undefined);
    t.strictSame((await allocate('quiculum-monitor', 'k', { service: 'a' })).body, later.body);
    await age('24 hours 1 second');
    await allocate('quiculum-monitor', 'fresh', { service: 'a' });
    const { rows } = await sql<{ key: string }>`
      select key from idempotency_keys where project = 'quiculum-monitor'`.execute(db);
    t.strictSame(rows, [{ key: 'fresh' }]);
  });

  t.test('creating a range takes an Idempotency-Key too', async (t) => {
    const create = (body: object) => request('POST', '/v1/ranges', body, { 'idempotency-key': 'range-1' });
    const first = await create({ project: 'atlas' });
    const retry = await create({ project: 'atlas', kind: 'project' });
    t.equal(retry.status, 201);
    t.equal(retry.headers['idempotent-replayed'], 'true');
    t.equal(retry.headers.location, first.headers.location);
    t.strictSame(retry.body, first.body);
    assertProblem(t, await create({ project: 'atlas', kind: 'shared' }), 'idempotency-key-reused');
    t.equal((await request('GET', '/v1/projects/atlas/summary')).body.ranges.length, 1);
  });

  t.test('of two operations with the same key at the same time, under different locks, one is refused', async (t) => {
    for (let i = 0; i < 20; i++) {
      const headers = { 'idempotency-key': `raced-${i}` };
      const answers = await Promise.all([
        request('POST', '/v1/ranges', { project: 'odin' }, headers),
        request('POST', '/v1/projects/odin/allocations', { service: 'a' }, headers),
      ]);
      t.strictSame(answers.map(({ status }) => status).sort(), [201, 422]);
    }
  });

  t.test('without a key every call allocates', async (t) => {
    const path = '/v1/projects/meta-supervisor/allocations';
    for (const port of [3000, 3001]) t.equal((await request('POST', path, { service: 'a' })).body.port, port);
  });

  t.test('an invalid key is refused', async (t) => {
    for (const key of ['', 'a'.repeat(256), 'two words', 'tab\there', 'ümlaut']) {
      assertInvalid(t, await allocate('consilio', key, { service: 'a' }), '/headers/idempotency-key');
    }
    t.equal((await allocate('consilio', 'a'.repeat(255), { service: 'a' })).status, 201);
  });
});
