import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { lockRanges } from '../../src/allocator/transaction.js';
import { makeApp, requester } from '../helpers/app.js';
import { createDatabase, databases, openPostgres } from '../helpers/database.js';
import { ADMIN, bearer, makeKey, WITH_KEYS } from '../helpers/keys.js';
import { assertInvalid, assertProblem } from '../helpers/problems.js';
import { insertReservation } from '../helpers/rows.js';

const REASON = 'Our VPN client listens there on every laptop';

for (const [name, open] of databases) {
  t.test(`excluded ports on ${name}`, async (t) => {
    const { db } = await open(t);
    const request = requester(await makeApp(t, { db }));
    const exclude = (port: number, reason: unknown = REASON) =>
      request('PUT', `/v1/excluded-ports/${port}`, { reason });
    const readmit = (port: number) => request('DELETE', `/v1/excluded-ports/${port}`);
    const stateOf = async (port: number) => (await request('GET', `/v1/ports/${port}`)).body.state;

    t.test('one is excluded, described anew, read and given out again', async (t) => {
      const made = await exclude(3101);
      t.equal(made.status, 201);
      t.equal(made.headers.location, '/v1/excluded-ports/3101');
      const { createdAt } = made.body;
      t.equal(new Date(createdAt).toISOString(), createdAt);
      t.strictSame(made.body, { port: 3101, reason: REASON, createdAt });
      const again = await exclude(3101, 'Another reason');
      t.equal(again.status, 200);
      t.equal(again.headers.location, undefined);
      t.strictSame(again.body, { port: 3101, reason: 'Another reason', createdAt });
      t.strictSame((await request('GET', '/v1/excluded-ports/3101')).body, again.body);
      t.equal(await stateOf(3101), 'excluded');

      const ports = async () => {
        const { body } = await request('PUT', '/v1/projects/consilio/environments/default', {
          services: ['a', 'b', 'c'].map((service) => ({ service })),
        });
        await request('DELETE', '/v1/projects/consilio/environments/default');
        return body.items.map(({ port }: { port: number }) => port);
      };
      t.strictSame(await ports(), [3100, 3102, 3103]);
      const removed = await readmit(3101);
      t.strictSame([removed.status, removed.text], [204, '']);
      t.equal(await stateOf(3101), 'free');
      t.strictSame(await ports(), [3100, 3101, 3102]);
    });

    t.test('the port itself tells why it is excluded, whatever its state', async (t) => {
      await exclude(40_000);
      await exclude(3500);
      const describe = async (port: number) => (await request('GET', `/v1/ports/${port}`)).body;
      const why = async (port: number) => (await request('GET', `/v1/excluded-ports/${port}`)).body;
      t.strictSame((await describe(40_000)).excluded, await why(40_000), 'also in no range');
      t.match(await describe(3500), { state: 'excluded', excluded: await why(3500) });
      await request('POST', '/v1/projects/quiculum-monitor/allocations', { service: 'x', port: 3500 });
      const held = await describe(3500);
      t.match(held, { state: 'allocated', excluded: await why(3500) });
      t.match(held.allocation.warnings, [/^Port 3500 is excluded/]);
      for (const port of [40_000, 3500]) await readmit(port);
      t.match(await describe(3500), { state: 'allocated', excluded: null, allocation: { warnings: undefined } });
    });

    t.test('one that is not excluded is not found', async (t) => {
      for (const port of [1, 3102, 65_535]) {
        for (const method of ['GET', 'DELETE'] as const) {
          const answer = await request(method, `/v1/excluded-ports/${port}`);
          t.match(assertProblem(t, answer, 'excluded-port-not-found').detail, `Port ${port} is not excluded.`);
        }
      }
    });

    t.test('a port that no range can have, and a reason that is none, are refused', async (t) => {
      for (const port of [1, 2999, 65_000, 65_535]) {
        assertInvalid(t, await exclude(port), '/path/port', /^Only 3000 to 64999 can be excluded\. No range can have/);
      }
      for (const port of ['0', '65536', 'x', '3100.5']) {
        assertInvalid(t, await request('PUT', `/v1/excluded-ports/${port}`, { reason: REASON }), '/path/port');
      }
      for (const reason of ['', 'x'.repeat(1001), 'two\nlines', 7, null]) {
        assertInvalid(t, await exclude(3102, reason), '/reason');
      }
      assertInvalid(t, await request('PUT', '/v1/excluded-ports/3102'), '/reason');
      assertInvalid(t, await request('PUT', '/v1/excluded-ports/3102', { reason: REASON, why: 1 }), '/why');
      t.equal(await stateOf(3102), 'free');
      for (const port of [3000, 64_999]) {
        t.equal((await exclude(port, '😀'.repeat(1000))).status, 201, 'characters are counted, not their units');
        t.equal((await readmit(port)).status, 204);
      }
    });

    t.test('the list is in the order of the ports, page by page', async (t) => {
      const all = (await request('GET', '/v1/excluded-ports?limit=1000')).body;
      t.equal(all.items.length, 15);
      t.equal(all.nextCursor, null);
      const found = [];
      for (let url: string | undefined = '/v1/excluded-ports?limit=4'; url !== undefined; ) {
        const { body, headers }: Awaited<ReturnType<typeof request>> = await request('GET', url);
        found.push(...body.items);
        url = /^<(.*)>; rel="next"$/.exec(String(headers.link))?.[1];
      }
      t.strictSame(found, all.items);
      assertInvalid(t, await request('GET', '/v1/excluded-ports?cursor=x'), '/query/cursor');
    });

    t.test('one that is held counts as held, and is not given again after its release', async (t) => {
      await request('PUT', '/v1/projects/odin/services/first');
      t.equal((await exclude(3300)).status, 201);
      t.equal(await stateOf(3300), 'allocated');
      t.equal((await request('PUT', '/v1/projects/odin/services/first')).body.port, 3300, 'it does not move');
      t.match((await request('GET', '/v1/ranges/3300')).body, { allocatedPorts: 1, excludedPorts: 0 });
      await request('DELETE', '/v1/projects/odin/services/first');
      t.equal(await stateOf(3300), 'excluded');
      t.match((await request('GET', '/v1/ranges/3300')).body, { allocatedPorts: 0, excludedPorts: 1 });
      t.equal((await request('PUT', '/v1/projects/odin/services/first')).body.port, 3301);
    });

    t.test('each port counts once, wherever counts are told', async (t) => {
      await request('PATCH', '/v1/ranges/3200', { reuseCooldownSeconds: 600 });
      for (const service of ['a', 'b', 'c', 'd']) await request('PUT', `/v1/projects/openhorizon/services/${service}`);
      await request('DELETE', '/v1/projects/openhorizon/services/c'); // 3202 cools down
      await request('DELETE', '/v1/projects/openhorizon/services/d'); // and so does 3203
      await insertReservation(db, { port: 3210, project: 'openhorizon', seconds: 3600 });
      await insertReservation(db, { port: 3211, project: 'openhorizon', seconds: -1 });
      // Held, cooling, reserved, reserved until a moment ago, free; and one in another project's range.
      for (const port of [3200, 3202, 3210, 3211, 3250, 3399]) t.equal((await exclude(port)).status, 201);
      const counts = {
        totalPorts: 100,
        allocatedPorts: 2,
        reservedPorts: 1,
        coolingPorts: 1,
        excludedPorts: 3,
        availablePorts: 93,
      };
      t.match((await request('GET', '/v1/ranges/3200')).body, counts);
      const { items } = (await request('GET', '/v1/ranges')).body;
      t.match(
        items.find(({ startPort }: { startPort: number }) => startPort === 3200),
        counts,
      );
      t.match((await request('GET', '/v1/projects/openhorizon/summary')).body, { ...counts, ranges: [counts] });
      const projects = (await request('GET', '/v1/projects')).body.items;
      t.match(
        projects.find(({ project }: { project: string }) => project === 'openhorizon'),
        counts,
      );
      t.match((await request('GET', '/v1/ports/3250')).body, { state: 'excluded', range: counts });
      t.match((await request('GET', '/v1/ranges/3200?host=db1&protocol=udp')).body, {
        allocatedPorts: 0,
        excludedPorts: 5,
        availablePorts: 95,
      });
      const states = await Promise.all([3200, 3202, 3203, 3210, 3211, 3250].map(stateOf));
      t.strictSame(states, ['allocated', 'excluded', 'cooling', 'reserved', 'excluded', 'excluded']);
      const metrics = (await request('GET', '/metrics')).text;
      for (const [figure, count] of [
        ['ports', 100],
        ['allocated_ports', 2],
        ['reserved_ports', 1],
        ['cooling_ports', 1],
        ['excluded_ports', 3],
        ['available_ports', 93],
      ]) {
        const series = `port_allocator_project_${figure}{project="openhorizon",host="localhost",protocol="tcp"}`;
        t.ok(metrics.includes(`\n${series} ${count}\n`), series);
      }
    });

    t.test('a range with one is made, changed and deleted like any other', async (t) => {
      const made = await request('POST', '/v1/ranges', { project: 'x11', startPort: 6000 });
      t.match(made.body, { excludedPorts: 1, availablePorts: 99 });
      t.equal((await request('PUT', '/v1/projects/x11/services/web')).body.port, 6001);
      await request('DELETE', '/v1/projects/x11/services/web');
      t.equal((await request('DELETE', '/v1/ranges/6000')).status, 204);
      t.equal((await request('GET', '/v1/excluded-ports/6000')).status, 200, 'it stays excluded');
      t.equal((await request('GET', '/v1/ports/6000')).body.state, 'unmanaged');
    });

    t.test('callers who exclude one port at the same time make one row', async (t) => {
      const statuses = (await Promise.all(Array.from({ length: 8 }, () => exclude(5999)))).map(({ status }) => status);
      t.strictSame(statuses.sort(), [200, 200, 200, 200, 200, 200, 200, 201]);
    });
  });
}

t.test('with keys in force, every key reads the list, and admins change it', async (t) => {
  const request = requester(await makeApp(t, await openPostgres(t), WITH_KEYS));
  for (const role of ['reader', 'project'] as const) {
    const key = bearer((await makeKey(request, role, ...(role === 'project' ? ['odin'] : []))).key);
    t.equal((await request('GET', '/v1/excluded-ports', undefined, key)).body.items.length, 15);
    t.equal((await request('GET', '/v1/excluded-ports/6000', undefined, key)).status, 200);
    const excluding = await request('PUT', '/v1/excluded-ports/3100', { reason: REASON }, key);
    assertProblem(t, excluding, 'forbidden');
    assertProblem(t, await request('DELETE', '/v1/excluded-ports/6000', undefined, key), 'forbidden');
  }
  assertProblem(t, await request('GET', '/v1/excluded-ports'), 'unauthorized');
  t.equal((await request('PUT', '/v1/excluded-ports/3100', { reason: REASON }, ADMIN)).status, 201);
  t.equal((await request('DELETE', '/v1/excluded-ports/6000', undefined, ADMIN)).status, 204, 'a built-in one');
  t.equal((await request('PUT', '/v1/excluded-ports/6000', { reason: 'X11' }, ADMIN)).status, 201, 'comes back');
});

t.test('an exclusion waits for a transaction that may be giving the port out', async (t) => {
  const url = await createDatabase(t, process.env.TEST_TEMPLATE);
  const request = requester(await makeApp(t, await openPostgres(t, url)));
  const { db } = await openPostgres(t, url);
  let isAnswered = false;
  const answer = await db.transaction().execute(async (trx) => {
    await lockRanges(trx, 'consilio');
    const pending = request('PUT', '/v1/excluded-ports/3100', { reason: REASON }).finally(() => (isAnswered = true));
    const elsewhere = await request('PUT', '/v1/excluded-ports/3200', { reason: REASON });
    t.equal(elsewhere.status, 201, 'others are not held up');
    await sleep(200);
    t.equal(isAnswered, false);
    return { pending };
  });
  t.equal((await answer.pending).status, 201);
});
