// A released port is kept for a while for the service that released it.
import t from 'tap';
import {
  allocate,
  claim,
  decide,
  decideOne,
  getOrAllocate,
  key,
  refusalOf,
  release,
  reserve,
} from '../helpers/project-commands.js';
import { held, PROJECT, range, released, reserved, secondsFromNow } from '../helpers/project-facts.js';

const ranges = [range(3000, 3003, 60)];
const STAGING = { environment: 'staging' };
const cooling = { ranges, allocations: [released(3001, 20)] };

t.test('others do not get a port that cools down', async (t) => {
  const others = [allocate('a'), getOrAllocate('api', STAGING), reserve(), allocate('late')];
  t.same(decide(cooling, ...others).ports, [3000, 3002, 3003, 'range-exhausted']);
});

t.test('the service that released it gets its old port before any lower one', async (t) => {
  t.same(decide(cooling, getOrAllocate('api')).ports, [3001]);
  t.same(decide(cooling, allocate('api'), allocate('api')).ports, [3001, 3000]);
});

t.test('of several old ports the lowest comes first', async (t) => {
  const allocations = [released(3002, 5), released(3001, 20)];
  t.same(decide({ ranges, allocations }, allocate('api'), allocate('api'), allocate('api')).ports, [3001, 3002, 3000]);
});

t.test('who asks for it by number is refused, and told until when it cools down and for whom', async (t) => {
  const until = secondsFromNow(40).toISOString();
  const holder = { kind: 'cooling', id: null, project: PROJECT, service: 'api', environment: 'default' };
  for (const command of [
    allocate('web', { port: 3001 }),
    allocate('api', { key: key('api', STAGING), port: 3001 }),
    reserve({ port: 3001 }),
    reserve({ port: 3001, service: 'web' }),
  ]) {
    const { code, extras } = refusalOf(cooling, command);
    t.equal(code, 'port-taken');
    t.same(extras, { holder, nextPortAvailableAt: until });
  }
  t.match(decideOne(cooling, allocate('api', { port: 3001 })), { allocation: { port: 3001 } });
  t.match(decideOne(cooling, reserve({ port: 3001, service: 'api' })), { reservation: { port: 3001 } });
});

t.test('the cooldown ends to the millisecond', async (t) => {
  t.same(decide({ ranges, allocations: [released(3000, 59.999)] }, allocate('web')).ports, [3001]);
  t.same(decide({ ranges, allocations: [released(3000, 60)] }, allocate('web')).ports, [3000]);
});

t.test('a port that is released in a batch cools down from then on', async (t) => {
  const rows = { ranges, allocations: [held(3000)] };
  const { ports } = decide(rows, release('allocation of 3000'), allocate('web'), allocate('api'), allocate('api'));
  t.same(ports, [3000, 3001, 3000, 3002]);
  const { outcomes } = decide(rows, release('allocation of 3000'), allocate('web', { port: 3000 }));
  t.match(outcomes[1], { error: { extras: { nextPortAvailableAt: secondsFromNow(60).toISOString() } } });
});

t.test('each range has a cooldown of its own', async (t) => {
  const rows = { ranges: [range(3000, 3000, 60), range(3500, 3500)], allocations: [held(3000), held(3500)] };
  const releases = [release('allocation of 3000'), release('allocation of 3500')];
  t.same(decide(rows, ...releases, allocate('web'), allocate('web')).ports, [3000, 3500, 3500, 'range-exhausted']);
});

t.test('a port that another project released in this range is not its service’s any more', async (t) => {
  const allocations = [released(3000, 20, { project: 'former-owner' })];
  t.same(decide({ ranges, allocations }, getOrAllocate('api')).ports, [3001]);
  t.match(refusalOf({ ranges, allocations }, allocate('api', { port: 3000 })), {
    extras: { holder: { kind: 'cooling', project: 'former-owner' } },
  });
});

t.test('a port under a reservation goes on cooling when the reservation is cancelled', async (t) => {
  const rows = { ...cooling, reservations: [reserved(3001, { service: 'api' })] };
  const cancel = { kind: 'cancel-reservation', reservationId: 'reservation of 3001' } as const;
  t.same(decide(rows, getOrAllocate('api')).ports, [3000], 'it is reserved');
  t.same(
    decide(rows, cancel, getOrAllocate('web'), getOrAllocate('web', STAGING), getOrAllocate('api')).ports,
    [3001, 3000, 3002, 3001],
  );
});

t.test(
  'a reserved port that cools down can be claimed for the service and environment that released it alone',
  async (t) => {
    const rows = { ...cooling, reservations: [reserved(3001, { service: 'api' })] };
    t.match(decideOne(rows, claim('reservation of 3001')), { allocation: { port: 3001 } });
    t.equal(refusalOf(rows, claim('reservation of 3001', STAGING)).code, 'port-taken');
    t.equal(refusalOf(rows, claim('reservation of 3001', { service: 'web' })).code, 'port-taken');
  },
);

t.test('a reservation that is older than the cooldown of its port can be claimed all the same', async (t) => {
  // The range's cooldown was raised when the reservation was there already.
  for (const service of ['web', null]) {
    const rows = { ...cooling, reservations: [reserved(3001, { service })] };
    t.match(decideOne(rows, claim('reservation of 3001', { service: 'web' })), { allocation: { port: 3001 } });
  }
});
