// Which port a command gets.
import t from 'tap';
import {
  allocate,
  decide,
  decideOne,
  getOrAllocate,
  key,
  refusalOf,
  release,
  reserve,
} from '../helpers/project-commands.js';
import { held, NOW, PROJECT, range, released, reserved, UDP } from '../helpers/project-facts.js';

t.test('the lowest free port is taken first', async (t) => {
  const { ports, written } = decide({}, allocate('a'), allocate('b'), allocate('c'));
  t.same(ports, [3000, 3001, 3002]);
  t.same(written, { inserted: ['3000 a', '3001 b', '3002 c'] });
});

t.test('gaps are filled, one after another within one batch', async (t) => {
  const allocations = [held(3000), held(3002)];
  t.same(decide({ allocations }, allocate('a'), getOrAllocate('b'), reserve(), allocate('c')).ports, [
    3001,
    3003,
    'range-exhausted',
    'range-exhausted',
  ]);
});

t.test('when one range is full the next one is used', async (t) => {
  const ranges = [range(3000, 3001), range(3500, 3501)];
  t.same(decide({ ranges }, allocate('a'), allocate('b'), allocate('c')).ports, [3000, 3001, 3500]);
});

t.test('a new allocation holds what was given, and nothing else is set', async (t) => {
  const details = {
    serviceType: 'http',
    description: 'The API',
    cloudflareHostname: 'a.example.com',
    metadata: { x: 1 },
  };
  const { allocation, replayed } = decideOne({}, allocate('api', { details }));
  t.same(
    { ...allocation, id: '' },
    {
      id: '',
      port: 3000,
      project: PROJECT,
      service: 'api',
      environment: 'default',
      host: 'localhost',
      protocol: 'tcp',
      status: 'allocated',
      ...details,
      allocatedAt: NOW.toISOString(),
      lastUsedAt: null,
      releasedAt: null,
      updatedAt: NOW.toISOString(),
    },
  );
  t.match(allocation.id, /^[0-9a-f-]{36}$/);
  t.equal(replayed, false);
});

t.test('a key may hold several ports', async (t) => {
  t.same(decide({ allocations: [held(3000)] }, allocate('api'), allocate('api')).ports, [3001, 3002]);
});

t.test('the same number on another host or protocol is another port', async (t) => {
  const allocations = [held(3000)];
  const elsewhere = { host: '10.0.0.7' };
  const commands = [allocate('a', { key: key('a', UDP) }), getOrAllocate('b', elsewhere), reserve(UDP), reserve()];
  t.same(decide({ allocations }, ...commands).ports, [3000, 3000, 3001, 3001]);
});

t.test('a port that is free can be asked for by its number', async (t) => {
  const { ports, written } = decide({}, allocate('a', { port: 3002 }), reserve({ port: 3001 }), allocate('b'));
  t.same(ports, [3002, 3001, 3000]);
  t.same(written, { inserted: ['3002 a', '3000 b'], insertedReservations: ['3001 null'] });
});

t.test('a port that is asked for and was taken earlier in the batch is refused, and who has it is told', async (t) => {
  const { ports, outcomes, lastRound } = decide(
    {},
    allocate('first'),
    allocate('a', { port: 3000 }),
    reserve({ port: 3000 }),
  );
  t.same(ports, [3000, 'port-taken', 'port-taken']);
  const [row] = lastRound.inserted;
  const holder = { kind: 'allocation', id: row?.id, project: PROJECT, service: 'first', environment: 'default' };
  for (const outcome of outcomes.slice(1)) t.match(outcome, { error: { extras: { holder } } });
});

t.test('a held port that is asked for is refused, and who holds it is told', async (t) => {
  const { code, extras } = refusalOf({ allocations: [held(3001)] }, allocate('a', { port: 3001 }));
  t.equal(code, 'port-taken');
  t.same(extras, {
    holder: { kind: 'allocation', id: 'allocation of 3001', project: PROJECT, service: 'api', environment: 'default' },
  });
});

t.test('even for the key that holds it', async (t) => {
  t.equal(refusalOf({ allocations: [held(3001)] }, allocate('api', { port: 3001 })).code, 'port-taken');
});

t.test('a reserved port that is asked for is refused, also for the service that it is reserved for', async (t) => {
  const reservations = [reserved(3001, { service: 'api' })];
  const { code, extras } = refusalOf({ reservations }, allocate('api', { port: 3001 }));
  t.equal(code, 'port-taken');
  t.same(extras, {
    holder: { kind: 'reservation', id: 'reservation of 3001', project: PROJECT, service: 'api', environment: null },
  });
});

t.test('a port outside the ranges is refused, also where somebody holds it', async (t) => {
  const allocations = [held(3100, { project: 'other' })];
  for (const port of [2999, 3004, 3100]) {
    const { code, message } = refusalOf({ allocations }, allocate('a', { port }));
    t.equal(code, 'port-outside-range');
    t.equal(message, `Port ${port} is not in a range of odin (3000–3003).`);
  }
});

t.test(
  'two commands want the last port: the first gets it, and the second is refused and writes nothing',
  async (t) => {
    const allocations = [held(3000), held(3001), held(3002)];
    for (const [first, second] of [
      [allocate('first'), allocate('second')],
      [getOrAllocate('first'), reserve()],
      [allocate('first', { port: 3003 }), getOrAllocate('second')],
    ] as const) {
      const { ports, outcomes, written } = decide({ allocations }, first, second);
      t.same(ports, [3003, 'range-exhausted']);
      t.same(written, { inserted: ['3003 first'] });
      t.match(outcomes[1], {
        error: {
          message: 'No port of odin (3000–3003) is free on localhost/tcp.',
          extras: { project: PROJECT, nextPortAvailableAt: null },
        },
      });
    }
  },
);

t.test('a full range tells when its next port comes free by itself', async (t) => {
  const rows = {
    ranges: [range(3000, 3003, 120)],
    allocations: [held(3000), released(3001, 30), released(3002, 60)],
    // The cooldown of 3002 passes in 60 s, and only later does its reservation end.
    reservations: [reserved(3002), reserved(3003)],
  };
  t.equal(refusalOf(rows, allocate('web')).extras.nextPortAvailableAt, '2026-01-02T03:05:35.000Z');
});

t.test('a project without a range is not found, whatever is asked of it by name', async (t) => {
  const commands = [getOrAllocate('a'), allocate('a'), allocate('a', { port: 3000 }), reserve()];
  const { ports, written } = decide(
    { ranges: [] },
    ...commands,
    { kind: 'release-service', key: key('a') },
    { kind: 'update-service', key: key('a'), details: {} },
    { kind: 'release-environment', environment: 'default', ...UDP },
  );
  t.same(new Set(ports), new Set(['project-not-found']));
  t.same(written, {});
});

t.test('a port that is released in a batch goes to the next command of the batch', async (t) => {
  const allocations = [3000, 3001, 3002, 3003].map((port) => held(port));
  const { ports, written } = decide({ allocations }, release('allocation of 3002'), allocate('next'), allocate('late'));
  t.same(ports, [3002, 3002, 'range-exhausted']);
  t.same(written, { releasedIds: ['allocation of 3002'], inserted: ['3002 next'] });
});
