import t from 'tap';
import { makeApp, requester } from '../helpers/app.js';
import { databases } from '../helpers/database.js';
import { assertInvalid, assertProblem } from '../helpers/problems.js';

for (const [name, open] of databases) {
  t.test(`ranges on ${name}`, async (t) => {
    const request = requester(await makeApp(t, await open(t)));
    const create = (body: object) => request('POST', '/v1/ranges', body);

    t.test('a new registry has the seven seed ranges', async (t) => {
      const { body } = await request('GET', '/v1/ranges');
      t.strictSame(
        body.items.map((r: Record<string, unknown>) => `${r.project} ${r.startPort}-${r.endPort} ${r.kind}`),
        [
          'meta-supervisor 3000-3099 project',
          'consilio 3100-3199 project',
          'openhorizon 3200-3299 project',
          'odin 3300-3399 project',
          'health-agent 3400-3499 project',
          'quiculum-monitor 3500-3599 project',
          'shared-services 9000-9999 shared',
        ],
      );
      t.equal(body.nextCursor, null);
    });

    t.test('a range without a start port gets the lowest free block of its kind', async (t) => {
      const answer = await create({ project: 'atlas' });
      t.equal(answer.status, 201);
      t.equal(answer.headers.location, '/v1/ranges/3600');
      const { createdAt, ...rest } = answer.body;
      t.equal(new Date(createdAt).toISOString(), createdAt);
      t.strictSame(rest, {
        startPort: 3600,
        endPort: 3699,
        project: 'atlas',
        kind: 'project',
        description: null,
        reuseCooldownSeconds: 0,
        totalPorts: 100,
        allocatedPorts: 0,
        inUsePorts: 0,
        reservedPorts: 0,
        coolingPorts: 0,
        excludedPorts: 1,
        availablePorts: 99,
        utilization: 0,
        warnings: [],
      });
      t.strictSame((await request('GET', '/v1/ranges/3600')).body, answer.body);
      t.match((await create({ project: 'common', kind: 'shared' })).body, {
        startPort: 3700,
        endPort: 4699,
        totalPorts: 1000,
        kind: 'shared',
      });
    });

    t.test('a block between two ranges is taken only where it fits', async (t) => {
      t.equal((await create({ project: 'atlas', startPort: 4800 })).status, 201);
      t.equal((await create({ project: 'big', kind: 'shared' })).body.startPort, 4900);
      t.equal((await create({ project: 'small' })).body.startPort, 4700);
    });

    t.test('a project may have several ranges, and they are filled in order', async (t) => {
      t.equal((await create({ project: 'odin', startPort: 8000, description: 'More' })).body.description, 'More');
      const fill = () => request('POST', '/v1/projects/odin/allocations', { service: 'fill' });
      await Promise.all(Array.from({ length: 100 }, fill));
      t.equal((await request('PUT', '/v1/projects/odin/services/next')).body.port, 8000);
    });

    t.test('an overlapping range is refused with what it would overlap', async (t) => {
      for (const [body, names] of [
        [{ project: 'x', startPort: 3100 }, /3100–3199 \(consilio\)/],
        [{ project: 'x', startPort: 9900 }, /9000–9999 \(shared-services\)/],
        [{ project: 'x', startPort: 8100, kind: 'shared' }, /9000–9999 \(shared-services\)/],
        [{ project: 'odin', startPort: 3300 }, /3300–3399 \(odin\)/],
      ] as const) {
        t.match(assertProblem(t, await create(body), 'range-overlap').detail, names);
      }
    });

    t.test('a range with ports that systems use themselves has warnings', async (t) => {
      for (const [startPort, warnings] of [
        [20_000, []],
        [61_000, [/^macOS takes .* 49152–65535/, /^Windows takes .* 49152–65535/]],
        [7000, [/^macOS itself listens on 7000/]],
      ] as const) {
        const { body } = await create({ project: 'edge', startPort });
        // Those of the machine that runs this test are another test's.
        const told = body.warnings.filter((warning: string) => !warning.includes(' on this machine '));
        t.match(told, warnings, `${startPort}`);
        t.equal(told.length, warnings.length);
        t.strictSame((await request('GET', `/v1/ranges/${startPort}`)).body.warnings, body.warnings);
      }
    });

    t.test('bodies that describe no range are refused', async (t) => {
      for (const [body, pointer] of [
        [{}, '/project'],
        [{ project: 'Upper' }, '/project'],
        [{ project: '' }, '/project'],
        [{ project: 'a'.repeat(64) }, '/project'],
        [{ project: 'x', startPort: 3150 }, '/startPort'],
        [{ project: 'x', startPort: 2900 }, '/startPort'],
        [{ project: 'x', startPort: 65000 }, '/startPort'],
        [{ project: 'x', startPort: '7000' }, '/startPort'],
        [{ project: 'x', startPort: 7000.5 }, '/startPort'],
        [{ project: 'x', startPort: null }, '/startPort'],
        [{ project: 'x', startPort: 64100, kind: 'shared' }, '/startPort'],
        [{ project: 'x', kind: 'huge' }, '/kind'],
        [{ project: 'x', description: 'two\nlines' }, '/description'],
        [{ project: 'x', description: '' }, '/description'],
        [{ project: 'x', endPort: 7099 }, '/endPort'],
        [{ project: 'x', reuseCooldownSeconds: 5 }, '/reuseCooldownSeconds'],
      ] as const) {
        assertInvalid(t, await create(body), pointer);
      }
    });

    t.test('a description and a cooldown can be changed, each by itself', async (t) => {
      const before = (await request('GET', '/v1/ranges/3600')).body;
      const described = await request('PATCH', '/v1/ranges/3600', { description: 'The Atlas stack' });
      t.equal(described.status, 200);
      t.strictSame(described.body, { ...before, description: 'The Atlas stack' });
      const cooled = await request('PATCH', '/v1/ranges/3600', { reuseCooldownSeconds: 60 });
      t.strictSame(cooled.body, { ...described.body, reuseCooldownSeconds: 60 });
      const cleared = await request('PATCH', '/v1/ranges/3600', { description: null, reuseCooldownSeconds: 0 });
      t.strictSame(cleared.body, before);
      t.strictSame((await request('PATCH', '/v1/ranges/3600')).body, before);
      for (const [body, pointer] of [
        [{ project: 'other' }, '/project'],
        [{ reuseCooldownSeconds: -1 }, '/reuseCooldownSeconds'],
        [{ reuseCooldownSeconds: 2_592_001 }, '/reuseCooldownSeconds'],
        [{ reuseCooldownSeconds: null }, '/reuseCooldownSeconds'],
      ] as const) {
        assertInvalid(t, await request('PATCH', '/v1/ranges/3600', body), pointer);
      }
    });

    t.test('a range in which something is held cannot be deleted, on whatever host and protocol', async (t) => {
      const { body } = await request('PUT', '/v1/projects/atlas/services/api?host=db1&protocol=udp');
      t.equal(body.port, 3600);
      const problem = assertProblem(t, await request('DELETE', '/v1/ranges/3600'), 'range-in-use');
      t.match(problem.detail, /3600–3699 still holds 1 allocation\(s\) and 0 reservation\(s\)/);
      await request('DELETE', `/v1/allocations/${body.id}`);
      const deleted = await request('DELETE', '/v1/ranges/3600');
      t.equal(deleted.status, 204);
      t.equal(deleted.text, '');
      t.strictSame((await request('GET', `/v1/allocations/${body.id}`)).body.status, 'released', 'history stays');
      t.equal((await request('GET', '/v1/allocations?project=atlas&status=released')).body.items.length, 1);
      t.equal((await request('DELETE', `/v1/allocations/${body.id}`)).status, 200, 'a late release is harmless');
      assertProblem(t, await request('DELETE', '/v1/ranges/3600'), 'range-not-found');
      t.equal((await create({ project: 'heir' })).body.startPort, 3600, 'the block is free again');
    });

    t.test('a range that does not exist is not found', async (t) => {
      for (const startPort of [3050, 65000, 0]) {
        for (const method of ['GET', 'PATCH', 'DELETE'] as const) {
          assertProblem(t, await request(method, `/v1/ranges/${startPort}`), 'range-not-found');
        }
      }
      for (const startPort of ['abc', '3000.5', '-1', '65536', '%00']) {
        assertInvalid(t, await request('GET', `/v1/ranges/${startPort}`), '/path/startPort');
      }
    });

    t.test('the list is paged by start port', async (t) => {
      const all = (await request('GET', '/v1/ranges')).body.items;
      const first = await request('GET', '/v1/ranges?limit=3&host=db1');
      t.strictSame(first.headers.link, `</v1/ranges?limit=3&host=db1&cursor=${first.body.nextCursor}>; rel="next"`);
      const rest = await request('GET', `/v1/ranges?cursor=${first.body.nextCursor}&limit=1000`);
      t.strictSame(
        [...first.body.items, ...rest.body.items].map((range) => range.startPort),
        all.map((range: { startPort: number }) => range.startPort),
      );
      assertInvalid(t, await request('GET', '/v1/ranges?cursor=nonsense'), '/query/cursor');
    });

    t.test('if no block is free, a range is refused', async (t) => {
      for (;;) {
        const { status, body } = await create({ project: 'filler', kind: 'shared' });
        if (status !== 201) {
          t.equal(body.code, 'no-free-block');
          break;
        }
      }
      t.equal((await create({ project: 'still-fits' })).status, 201);
    });
  });
}
