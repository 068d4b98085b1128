import { randomUUID } from 'node:crypto';
import t from 'tap';
import { makeApp, requester } from '../helpers/app.js';
import { databases } from '../helpers/database.js';
import { assertInvalid, assertProblem } from '../helpers/problems.js';

for (const [name, open] of databases) {
  t.test(`allocations on ${name}`, async (t) => {
    const request = requester(await makeApp(t, await open(t)));
    const allocate = (project: string, body: object) => request('POST', `/v1/projects/${project}/allocations`, body);

    t.test('allocate always takes a new port, and says where it is', async (t) => {
      for (const port of [3100, 3101, 3102]) {
        const answer = await allocate('consilio', { service: 'worker', description: 'one of many' });
        t.equal(answer.status, 201);
        t.match(answer.body, { port, service: 'worker', environment: 'default', description: 'one of many' });
        t.equal(answer.headers.location, `/v1/allocations/${answer.body.id}`);
        t.strictSame((await request('GET', String(answer.headers.location))).body, answer.body);
      }
    });

    t.test('allocate takes the whole key from its body', async (t) => {
      const answer = await allocate('consilio', {
        service: 'worker',
        environment: 'staging',
        host: 'DB1.example.com.',
        protocol: 'udp',
        serviceType: 'dns',
        cloudflareHostname: 'ns.example.com',
        metadata: { a: 1 },
      });
      t.match(answer.body, {
        port: 3100,
        environment: 'staging',
        host: 'db1.example.com',
        protocol: 'udp',
        serviceType: 'dns',
        cloudflareHostname: 'ns.example.com',
        metadata: { a: 1 },
      });
    });

    t.test('one particular port can be asked for', async (t) => {
      t.equal((await allocate('odin', { service: 'a', port: 3342 })).body.port, 3342);
      t.equal((await allocate('odin', { service: 'b', port: 3342, host: 'db1' })).body.port, 3342, 'another host');
      t.equal((await allocate('odin', { service: 'c', port: 3399 })).body.port, 3399);
      t.equal((await allocate('odin', { service: 'd' })).body.port, 3300, 'the lowest is still free');
    });

    t.test('a port that is held is refused with its holder', async (t) => {
      const holder = (await allocate('odin', { service: 'holder', environment: 'staging', port: 3350 })).body;
      const answer = await allocate('odin', { service: 'other', port: 3350 });
      const problem = assertProblem(t, answer, 'port-taken');
      t.strictSame(problem.holder, {
        kind: 'allocation',
        id: holder.id,
        project: 'odin',
        service: 'holder',
        environment: 'staging',
      });
      t.match(problem.detail, /^Port 3350 on localhost\/tcp is held by odin\/holder \(environment staging\)/);
    });

    t.test('a port outside of the ranges of the project is refused with those ranges', async (t) => {
      for (const port of [3100, 3299, 3400, 1, 65535]) {
        const problem = assertProblem(t, await allocate('odin', { service: 'a', port }), 'port-outside-range');
        t.match(problem.detail, `Port ${port} is not in a range of odin (3300–3399).`);
      }
    });

    t.test('a full range is refused', async (t) => {
      await Promise.all(Array.from({ length: 100 }, () => allocate('health-agent', { service: 'x' })));
      const problem = assertProblem(t, await allocate('health-agent', { service: 'x' }), 'range-exhausted');
      t.match(problem, { nextPortAvailableAt: null, instance: '/v1/projects/health-agent/allocations' });
    });

    t.test('allocating in a project without a range is refused', async (t) => {
      assertProblem(t, await allocate('nobody', { service: 'a' }), 'project-not-found');
      assertProblem(t, await allocate('nobody', { service: 'a', port: 3100 }), 'project-not-found');
    });

    t.test('a service is required', async (t) => {
      assertInvalid(t, await allocate('consilio', {}), '/service', 'is required');
    });

    t.test('an update changes what is given, clears what is null, and keeps the rest', async (t) => {
      const { body } = await allocate('openhorizon', { service: 'api', serviceType: 'http', metadata: { a: 1, b: 2 } });
      const path = `/v1/allocations/${body.id}`;
      const updated = await request('PATCH', path, { description: 'New', metadata: { c: 3 } });
      t.equal(updated.status, 200);
      const expected = { ...body, description: 'New', metadata: { c: 3 }, updatedAt: updated.body.updatedAt };
      t.strictSame(updated.body, expected);
      const repeated = await request('PATCH', path, { description: 'New', metadata: { c: 3 } });
      t.strictSame(repeated.body, updated.body, 'a repeated update changes nothing, not even updatedAt');
      t.strictSame((await request('PATCH', path)).body, updated.body, 'neither does one without fields');
      const cleared = await request('PATCH', path, { serviceType: null, metadata: null });
      t.strictSame(cleared.body, { ...expected, serviceType: null, metadata: null, updatedAt: cleared.body.updatedAt });
      t.strictSame((await request('GET', path)).body, cleared.body);
    });

    t.test('an update cannot change what identifies an allocation', async (t) => {
      const { body } = await allocate('openhorizon', { service: 'fixed' });
      for (const field of ['port', 'service', 'environment', 'host', 'protocol', 'status', 'project', 'id']) {
        const answer = await request('PATCH', `/v1/allocations/${body.id}`, { [field]: 'x' });
        assertInvalid(t, answer, `/${field}`, 'is not a known field');
      }
      t.strictSame((await request('GET', `/v1/allocations/${body.id}`)).body, body);
    });

    t.test('releasing answers the allocation as released, and the same when repeated', async (t) => {
      const { body } = await allocate('openhorizon', { service: 'brief', description: 'kept' });
      const released = await request('DELETE', `/v1/allocations/${body.id}`);
      t.equal(released.status, 200);
      t.ok(released.body.releasedAt >= body.allocatedAt);
      const { releasedAt } = released.body;
      t.strictSame(released.body, { ...body, status: 'released', releasedAt, updatedAt: releasedAt });
      for (const method of ['DELETE', 'DELETE', 'GET'] as const) {
        const again = await request(method, `/v1/allocations/${body.id}`);
        t.equal(again.status, 200);
        t.strictSame(again.body, released.body);
      }
    });

    t.test('a late retry of a release never frees the next holder of the port', async (t) => {
      const first = (await allocate('quiculum-monitor', { service: 'first' })).body;
      await request('DELETE', `/v1/allocations/${first.id}`);
      const next = (await allocate('quiculum-monitor', { service: 'next' })).body;
      t.equal(next.port, first.port);
      t.equal((await request('DELETE', `/v1/allocations/${first.id}`)).body.status, 'released');
      t.strictSame((await request('GET', `/v1/allocations/${next.id}`)).body, next);
      t.equal((await allocate('quiculum-monitor', { service: 'third' })).body.port, first.port + 1);
    });

    t.test('a release can be repeated after its range has been deleted', async (t) => {
      const { startPort } = (await request('POST', '/v1/ranges', { project: 'short-lived' })).body;
      const { id } = (await allocate('short-lived', { service: 'a' })).body;
      const released = (await request('DELETE', `/v1/allocations/${id}`)).body;
      t.equal((await request('DELETE', `/v1/ranges/${startPort}`)).status, 204);
      t.strictSame((await request('DELETE', `/v1/allocations/${id}`)).body, released);
    });

    t.test('a port can be released and taken again many times, and every holder stays in the history', async (t) => {
      const path = '/v1/projects/meta-supervisor/services/cycle';
      for (let i = 0; i < 10; i++) {
        t.equal((await request('PUT', path)).body.port, 3000);
        t.equal((await request('DELETE', path)).body.items.length, 1);
      }
      const history = await request('GET', '/v1/allocations?project=meta-supervisor&status=released');
      t.equal(history.body.items.length, 10);
    });

    t.test('a released allocation cannot be updated', async (t) => {
      const { body } = await allocate('openhorizon', { service: 'gone' });
      await request('DELETE', `/v1/allocations/${body.id}`);
      const answer = await request('PATCH', `/v1/allocations/${body.id}`, { description: 'late' });
      assertProblem(t, answer, 'allocation-released');
      t.equal((await request('GET', `/v1/allocations/${body.id}`)).body.description, null);
    });

    t.test('an allocation that never existed is not found', async (t) => {
      const id = randomUUID();
      for (const method of ['GET', 'PATCH', 'DELETE'] as const) {
        const problem = assertProblem(t, await request(method, `/v1/allocations/${id}`), 'allocation-not-found');
        t.match(problem.detail, id);
      }
    });

    t.test('an id that is no UUID is refused', async (t) => {
      for (const id of ['1', 'abc', `${randomUUID()}x`, '%00', '..%2f', "'--"]) {
        for (const method of ['GET', 'PATCH', 'DELETE'] as const) {
          assertInvalid(t, await request(method, `/v1/allocations/${id}`), '/path/id');
        }
      }
    });

    t.test('an id is found in upper case too', async (t) => {
      const { body } = await allocate('openhorizon', { service: 'upper' });
      t.equal((await request('GET', `/v1/allocations/${body.id.toUpperCase()}`)).body.id, body.id);
      t.equal((await request('PATCH', `/v1/allocations/${body.id.toUpperCase()}`, { description: 'x' })).status, 200);
      t.equal((await request('DELETE', `/v1/allocations/${body.id.toUpperCase()}`)).status, 200);
    });
  });
}
