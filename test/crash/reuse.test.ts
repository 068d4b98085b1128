// A port is released and allocated many times. Released rows must neither block anything nor slow anything down.
import t, { type Test } from 'tap';
import type { Database } from '../../src/database/connect.js';
import { makeApp, requester } from '../helpers/app.js';
import { openEmbedded, openPostgres } from '../helpers/database.js';
import { findViolations } from '../helpers/registry.js';

const kinds: [name: string, open: (t: Test) => Promise<Database>, cycles: number][] = [
  ['PostgreSQL', openPostgres, 2000],
  ['the embedded default', openEmbedded, 200],
];
/** Allocations that stay, so that the lowest free port is between them. */
const KEPT = [3100, 3101, 3103, 3104];
const GAP = 3102;

for (const [name, open, cycles] of kinds) {
  t.test(`on ${name}, a port that is released and taken ${cycles} times is the lowest each time`, async (t) => {
    const database = await open(t);
    const request = requester(await makeApp(t, database));
    for (const port of KEPT) {
      await request('POST', '/v1/projects/consilio/allocations', { service: 'kept', port });
    }
    const before = await request('GET', '/v1/allocations?project=consilio');
    const times: number[] = [];
    const released: string[] = [];
    const wrong: unknown[] = [];
    for (let i = 0; i < cycles; i++) {
      const began = performance.now();
      // Uses both ways to get a port and both ways to release it.
      const taken =
        i % 2
          ? await request('PUT', '/v1/projects/consilio/services/api')
          : await request('POST', '/v1/projects/consilio/allocations', { service: 'api' });
      const givenBack =
        i % 3
          ? await request('DELETE', `/v1/allocations/${taken.body.id}`)
          : await request('DELETE', '/v1/projects/consilio/services/api');
      times.push(performance.now() - began);
      if (taken.status !== 201 || taken.body.port !== GAP || givenBack.status !== 200)
        wrong.push([i, taken, givenBack]);
      released.push(taken.body.id);
    }
    t.same(wrong, []);
    t.equal(new Set(released).size, cycles, 'each allocation is a new one');

    const { body: range } = await request('GET', '/v1/ranges/3100');
    t.match(range, { allocatedPorts: 4, coolingPorts: 0, reservedPorts: 0, availablePorts: 96, utilization: 4 });
    t.same(
      (await request('GET', '/v1/allocations?project=consilio')).body,
      before.body,
      'the neighbours are untouched',
    );

    const history: { id: string; port: number; releasedAt: string; allocatedAt: string }[] = [];
    for (let path: string | null = '/v1/allocations?status=released&limit=700'; path !== null; ) {
      const { body } = await request('GET', path);
      history.push(...body.items);
      path = body.nextCursor && `/v1/allocations?status=released&limit=700&cursor=${body.nextCursor}`;
    }
    t.same(history.map(({ id }) => id).sort(), [...released].sort(), 'every release is history');
    t.same(
      history.filter(({ port, releasedAt, allocatedAt }) => port !== GAP || releasedAt < allocatedAt),
      [],
    );
    t.same(await findViolations(database.db), []);

    const part = Math.min(500, Math.floor(cycles / 4));
    const [first, last] = [usual(times.slice(0, part)), usual(times.slice(-part))];
    t.comment(`a pair: ${first.toFixed(2)} ms at first, ${last.toFixed(2)} ms at last`);
    t.ok(last < 3 * first, 'the last pairs are not much slower than the first');
  });
}

/** The lower quartile, because other work on the machine makes single pairs slower but never faster. */
function usual(timesMs: number[]): number {
  return [...timesMs].sort((a, b) => a - b)[Math.floor(timesMs.length / 4)] ?? Number.NaN;
}
