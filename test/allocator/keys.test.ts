// Commands about what a key holds, or about one allocation.
import t from 'tap';
import { allocate, decide, decideOne, getOrAllocate, key, refusalOf, release } from '../helpers/project-commands.js';
import { held, NOW, range, released, UDP } from '../helpers/project-facts.js';

const releaseService = (service: string, given = {}) =>
  ({ kind: 'release-service', key: key(service, given) }) as const;

t.test('a key that holds a port gets it again, and nothing is written', async (t) => {
  const { outcomes, written } = decide({ allocations: [held(3002)] }, getOrAllocate('api'));
  t.match(outcomes, [{ value: { created: false, allocation: { id: 'allocation of 3002', port: 3002 } } }]);
  t.same(written, {});
});

t.test('of several ports that a key holds it gets the lowest', async (t) => {
  t.same(decide({ allocations: [held(3003), held(3001), held(3002)] }, getOrAllocate('api')).ports, [3001]);
});

t.test('a key gets one port, however often it asks in one batch', async (t) => {
  const { outcomes, written } = decide({}, getOrAllocate('api'), getOrAllocate('web'), getOrAllocate('api'));
  t.match(outcomes, [
    { value: { created: true, allocation: { port: 3000 } } },
    { value: { created: true, allocation: { port: 3001 } } },
    { value: { created: false, allocation: { port: 3000 } } },
  ]);
  t.same(written, { inserted: ['3000 api', '3001 web'] });
});

t.test('keys differ by service, environment, host and protocol', async (t) => {
  const allocations = [held(3000)];
  const others = [
    getOrAllocate('web'),
    getOrAllocate('api', { environment: 'staging' }),
    getOrAllocate('api', { host: '10.0.0.7' }),
    getOrAllocate('api', UDP),
  ];
  t.same(decide({ allocations }, ...others).ports, [3001, 3002, 3000, 3000]);
});

t.test('details that are given with a key change what it holds already', async (t) => {
  const { outcomes, written } = decide(
    { allocations: [held(3000)] },
    getOrAllocate('api', { details: { description: 'x' } }),
  );
  t.match(outcomes, [{ value: { created: false, allocation: { description: 'x', updatedAt: NOW.toISOString() } } }]);
  t.same(written, { updated: ['3000 api'] });
});

t.test('a full range refuses new keys and still answers those that hold a port', async (t) => {
  const rows = { ranges: [range(3000, 3000)], allocations: [held(3000)] };
  const { ports, written } = decide(rows, getOrAllocate('web'), getOrAllocate('api'));
  t.same(ports, ['range-exhausted', 3000]);
  t.same(written, {});
});

t.test('what is released tells when, and its key gets the lowest free port after that', async (t) => {
  const rows = { allocations: [held(3001)] };
  t.match(decideOne(rows, release('allocation of 3001')), {
    port: 3001,
    status: 'released',
    releasedAt: NOW.toISOString(),
    updatedAt: NOW.toISOString(),
  });
  const { ports, written } = decide(rows, release('allocation of 3001'), getOrAllocate('api'));
  t.same(ports, [3001, 3000]);
  t.same(written, { releasedIds: ['allocation of 3001'], inserted: ['3000 api'] });
});

t.test(
  'what is released a second time is answered as it was the first time, and its next holder keeps the port',
  async (t) => {
    const rows = { allocations: [held(3000)] };
    const again = release('allocation of 3000');
    const { outcomes, ports, written } = decide(rows, again, allocate('next'), again, allocate('last'));
    t.same(ports, [3000, 3000, 3000, 3001]);
    t.same(outcomes[2], outcomes[0]);
    t.same(written, { releasedIds: ['allocation of 3000'], inserted: ['3000 next', '3001 last'] });

    const history = { allocations: [released(3000, 90), held(3000)] };
    const { releasedAt } = decideOne(history, release('former allocation of 3000'));
    t.equal(releasedAt, '2026-01-02T03:02:35.000Z');
    t.same(decide(history, release('former allocation of 3000')).written, {});
  },
);

t.test('an id that names nothing is not found, also where another project has it', async (t) => {
  const allocations = [held(3100, { project: 'other', id: 'foreign' })];
  for (const id of ['nobody', 'foreign']) {
    t.equal(refusalOf({ allocations }, release(id)).message, `There is no allocation ${id}.`);
    t.equal(refusalOf({ allocations }, { kind: 'update', id, details: {} }).code, 'allocation-not-found');
  }
});

t.test('all that a key holds is released, by port, and what others hold is left', async (t) => {
  const allocations = [held(3002), held(3000), held(3001, { service: 'web' }), held(3001, { ...UDP, id: 'udp' })];
  const { ports, written } = decide(
    { allocations },
    releaseService('api'),
    getOrAllocate('api', UDP),
    getOrAllocate('api'),
  );
  t.same(ports, [[3000, 3002], 3001, 3000]);
  t.same(written, { releasedIds: ['allocation of 3000', 'allocation of 3002'], inserted: ['3000 api'] });
});

t.test('a key that holds nothing has nothing to release', async (t) => {
  const { ports, written } = decide({ allocations: [held(3000)] }, releaseService('api'), releaseService('api'));
  t.same(ports, [[3000], []]);
  t.same(written, { releasedIds: ['allocation of 3000'] });
});

t.test('what is allocated and released in one batch leaves the port to the next', async (t) => {
  const { ports, rounds, state } = decide({}, allocate('brief'), releaseService('brief'), allocate('next'));
  t.same(ports, [3000, [3000], 3000]);
  const [brief] = state.writes.rounds[0]?.inserted ?? [];
  t.match(brief, { status: 'allocated', released_at: null });
  t.same(rounds, [{ inserted: ['3000 brief'] }, { releasedIds: [brief?.id], inserted: ['3000 next'] }]);
});
