// Ports that nobody is given unasked: the excluded ones, and those on which somebody listens. And a port that is
// preferred.
import t from 'tap';
import {
  adopt,
  allocate,
  allocateEnvironment,
  claim,
  decide,
  decideOne,
  getOrAllocate,
  refusalOf,
  release,
  reserve,
} from '../helpers/project-commands.js';
import { held, range, released, reserved, TCP } from '../helpers/project-facts.js';

const unusable = [{ ...TCP, port: 3000 }];
const cancel = { kind: 'cancel-reservation', reservationId: 'reservation of 3000' } as const;

t.test('an excluded port is given to nobody who does not ask for it by its number', async (t) => {
  const rows = { excluded: [3000, 3002] };
  t.same(decide(rows, getOrAllocate('a'), reserve(), allocate('b'), allocateEnvironment(['c'])).ports, [
    3001,
    3003,
    'range-exhausted',
    'range-exhausted',
  ]);
  t.same(decide(rows, allocate('a', { port: 3000 }), reserve({ port: 3002 })).ports, [3000, 3002]);
  t.same(decide(rows, adopt(3000)).written, { inserted: ['3000 port-3000'] });
  t.same(
    decide({ ...rows, reservations: [reserved(3000)] }, claim('reservation of 3000', { service: 'a' })).ports,
    [3000],
  );
});

t.test('an allocation of one has a warning, as long as it is held', async (t) => {
  const rows = { excluded: [3000], allocations: [held(3000)] };
  const warnings = [/^Port 3000 is excluded/];
  t.match(decideOne({ excluded: [3000] }, allocate('a', { port: 3000 })).allocation, { port: 3000, warnings });
  t.match(decideOne(rows, getOrAllocate('api')).allocation, { port: 3000, warnings });
  t.notOk('warnings' in decideOne(rows, release('allocation of 3000')));
  t.notOk('warnings' in decideOne(rows, allocate('a')).allocation);
});

t.test('an excluded port that is released comes back to nobody, not even to its service', async (t) => {
  const excluded = [3000];
  const allocations = [held(3000)];
  const next = [release('allocation of 3000'), getOrAllocate('api'), getOrAllocate('web')];
  t.same(decide({ excluded, allocations }, ...next).ports, [3000, 3001, 3002]);
  const ranges = [range(3000, 3003, 60)];
  t.same(decide({ excluded, allocations, ranges }, ...next).ports, [3000, 3001, 3002], 'also where it cools down');
  t.same(decide({ excluded, ranges, allocations: [released(3000, 20)] }, getOrAllocate('api')).ports, [3001]);
  t.same(decide({ excluded, reservations: [reserved(3000)] }, cancel, getOrAllocate('web')).ports, [3000, 3001]);
  const asked = allocate('api', { port: 3000 });
  t.same(decide({ excluded, ranges, allocations: [released(3000, 20)] }, asked).ports, [3000], 'by its number');
});

t.test('a full range tells how many ports are excluded, and waits for none of them', async (t) => {
  const rows = {
    ranges: [range(3000, 3003, 120)],
    excluded: [3000, 3003],
    // 3000 would be free in 30 s, and 3001 will be in 60 s.
    allocations: [released(3000, 90), released(3001, 60), held(3002)],
  };
  const { message, extras } = refusalOf(rows, allocate('web'));
  t.equal(extras.nextPortAvailableAt, '2026-01-02T03:05:05.000Z');
  t.match(message, /Excluded, and to be had only by their number: 2\./);
});

t.test('a port on which somebody listens is passed over, and told of where no other is free', async (t) => {
  t.same(decide({ unusable }, getOrAllocate('a'), reserve(), allocate('b')).ports, [3001, 3002, 3003]);
  const full = { unusable, allocations: [held(3001), held(3002), held(3003)] };
  t.match(
    refusalOf(full, allocate('a')).message,
    /Passed over, because somebody listens there or the system keeps them: 1\./,
  );
  const environment = refusalOf(full, allocateEnvironment(['a', 'b'])).message;
  t.match(environment, /^2 ports .* are needed on localhost\/tcp, and 0 are free\. None was taken\./);
});

t.test('whoever names it gets it, or holds it already, and no other protocol is concerned', async (t) => {
  t.same(decide({ unusable }, allocate('a', { port: 3000 })).ports, [3000]);
  t.same(decide({ unusable }, reserve({ port: 3000 }), getOrAllocate('a', { protocol: 'udp' })).ports, [3000, 3000]);
  const allocations = [held(3000)];
  t.same(decide({ unusable, allocations }, getOrAllocate('api')).ports, [3000], 'its own listener does not move it');
});

t.test('a port that is released while its process still listens goes to nobody', async (t) => {
  const rows = { unusable, allocations: [held(3000)] };
  const next = [release('allocation of 3000'), getOrAllocate('api'), allocate('web')];
  t.same(decide(rows, ...next).ports, [3000, 3001, 3002]);
  t.same(decide({ ...rows, ranges: [range(3000, 3003, 60)] }, ...next).ports, [3000, 3001, 3002]);
});

t.test('a preferred port is taken where it would be given out unasked', async (t) => {
  const prefer = allocate('web', { prefer: 3002 });
  t.same(decide({}, prefer, prefer, prefer).ports, [3002, 3000, 3001], 'and when it is held, the lowest one');
  const ranges = [range(3000, 3003, 60)];
  for (const [why, rows] of Object.entries({
    held: { allocations: [held(3002)] },
    'held by another project in this range': { allocations: [held(3002, { project: 'other' })] },
    reserved: { reservations: [reserved(3002)] },
    'reserved for the service': { reservations: [reserved(3002, { service: 'web' })] },
    'cooling for another service': { ranges, allocations: [released(3002, 20)] },
    excluded: { excluded: [3002] },
    unusable: { unusable: [{ ...TCP, port: 3002 }] },
    'in no range': { ranges: [range(3000, 3001)] },
  })) {
    t.same(decide(rows, prefer).ports, [3000], why);
  }
  const own = { ranges, allocations: [released(3002, 20, { service: 'web' })] };
  t.same(decide(own, prefer).ports, [3002], 'cooling for the service itself');
  t.same(decide({ allocations: [held(3002)] }, release('allocation of 3002'), prefer).ports, [3002, 3002]);
});

t.test('a port that cools down for the service yields to the one that it prefers', async (t) => {
  const rows = { ranges: [range(3000, 3003, 60)], allocations: [released(3001, 20)] };
  t.same(decide(rows, allocate('api', { prefer: 3003 }), allocate('api', { prefer: 3003 })).ports, [3003, 3001]);
});

t.test('a preferred port that nobody can have is no reason to refuse, and an exhausted range is', async (t) => {
  const allocations = [3000, 3001, 3002, 3003].map((port) => held(port));
  t.equal(refusalOf({ allocations }, allocate('web', { prefer: 3002 })).code, 'range-exhausted');
});
