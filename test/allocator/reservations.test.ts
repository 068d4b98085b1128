// Holding a port for a while, and what becomes of the hold.
import t from 'tap';
import { allocate, claim, decide, decideOne, getOrAllocate, refusalOf, reserve } from '../helpers/project-commands.js';
import { held, NOW, PROJECT, range, reserved, secondsFromNow, TCP, UDP } from '../helpers/project-facts.js';

const ID = 'reservation of 3001';
const renew = (ttlSeconds: number, reservationId = ID) =>
  ({ kind: 'renew-reservation', reservationId, ttlSeconds }) as const;
const cancel = (reservationId = ID) => ({ kind: 'cancel-reservation', reservationId }) as const;
const forApi = { reservations: [reserved(3001, { service: 'api' })] };
const forNobody = { reservations: [reserved(3001)] };
const expired = { reservations: [reserved(3001, { service: 'api', expires_at: NOW })] };

t.test('a reservation takes the lowest free port and lasts as long as was asked', async (t) => {
  const given = { service: 'api', reservedBy: 'ci-42', reason: 'A rollout', ttlSeconds: 90 };
  const { reservation, replayed } = decideOne({ allocations: [held(3000)] }, reserve(given));
  t.same(
    { ...reservation, id: '' },
    {
      id: '',
      port: 3001,
      project: PROJECT,
      service: 'api',
      ...TCP,
      reservedBy: 'ci-42',
      reason: 'A rollout',
      createdAt: NOW.toISOString(),
      expiresAt: '2026-01-02T03:05:35.000Z',
      status: 'active',
      allocationId: null,
    },
  );
  t.equal(replayed, false);
});

t.test('nobody gets a reserved port, not even the service that it is reserved for', async (t) => {
  t.same(decide(forApi, getOrAllocate('api'), getOrAllocate('web'), reserve()).ports, [3000, 3002, 3003]);
});

t.test('a claim makes the reservation an allocation of its port, for the service that it names', async (t) => {
  const { lastRound, outcomes, written } = decide(
    forApi,
    claim(ID, { environment: 'staging', details: { description: 'x' } }),
  );
  const [row] = lastRound.inserted;
  t.match(outcomes, [
    {
      value: {
        created: true,
        replayed: false,
        allocation: { id: row?.id, port: 3001, service: 'api', environment: 'staging', ...TCP, description: 'x' },
      },
    },
  ]);
  t.same(written, { inserted: ['3001 api'], changedReservations: ['3001 api'] });
  t.match([...lastRound.changedReservations], [{ status: 'claimed', ended_at: NOW, allocation_id: row?.id }]);
});

t.test('a claim may be for another service than the reservation names', async (t) => {
  t.match(decideOne(forApi, claim(ID, { service: 'web' })), { allocation: { port: 3001, service: 'web' } });
});

t.test('a claim has to name a service where the reservation names none', async (t) => {
  t.match(refusalOf(forNobody, claim(ID)), {
    code: 'validation-failed',
    extras: { errors: [{ pointer: '/service' }] },
  });
  t.match(decideOne(forNobody, claim(ID, { service: 'web' })), { allocation: { port: 3001, service: 'web' } });
});

t.test('a claim may name the reservation’s own host and protocol, and no others', async (t) => {
  t.match(refusalOf(forApi, claim(ID, { space: { host: '10.0.0.7' } })), {
    code: 'validation-failed',
    extras: { errors: [{ pointer: '/host' }] },
  });
  t.match(refusalOf(forApi, claim(ID, { space: { protocol: 'udp' } })), {
    code: 'validation-failed',
    extras: { errors: [{ pointer: '/protocol' }] },
  });
  t.match(decideOne(forApi, claim(ID, { space: TCP })), { created: true });
  t.same(decide(forApi, claim(ID, { space: UDP })).written, {});
});

t.test('a second claim answers the first one’s allocation, whatever it asks for, and writes nothing', async (t) => {
  const { outcomes, written } = decide(forApi, claim(ID), claim(ID, { service: 'web', details: { description: 'x' } }));
  const [first, second] = outcomes.map((outcome) => (outcome.ok ? outcome.value : null)) as { allocation: object }[];
  t.match(second, { created: false, replayed: false });
  t.same(second?.allocation, first?.allocation);
  t.same(written, { inserted: ['3001 api'], changedReservations: ['3001 api'] });

  const allocations = [held(3001)];
  const reservations = [reserved(3001, { status: 'claimed', ended_at: NOW, allocation_id: 'allocation of 3001' })];
  const later = decide({ allocations, reservations }, claim(ID, { service: 'web' }));
  t.match(later.outcomes, [{ value: { created: false, allocation: { id: 'allocation of 3001', service: 'api' } } }]);
  t.same(later.written, {});
});

t.test('a reservation that has expired can neither be claimed nor renewed, from that very moment on', async (t) => {
  for (const command of [claim(ID), renew(60)]) {
    const { code, message } = refusalOf(expired, command);
    t.equal(code, 'reservation-expired');
    t.equal(message, 'Reservation reservation of 3001 of port 3001 expired at 2026-01-02T03:04:05.000Z.');
    t.same(decide(expired, command).written, {});
  }
  const lastMoment = { reservations: [reserved(3001, { service: 'api', expires_at: new Date(NOW.getTime() + 1) })] };
  t.match(decideOne(lastMoment, claim(ID)), { created: true });
});

t.test('the port of an expired reservation is free', async (t) => {
  t.same(decide(expired, allocate('a', { port: 3001 })).ports, [3001]);
  t.same(decide(expired, reserve({ port: 3001 })).ports, [3001]);
});

t.test('a renewal counts from now, and may shorten', async (t) => {
  for (const ttlSeconds of [5, 3600]) {
    const { outcomes, lastRound, written } = decide(forApi, renew(ttlSeconds));
    t.match(outcomes, [{ value: { status: 'active', expiresAt: secondsFromNow(ttlSeconds).toISOString() } }]);
    t.same(written, { changedReservations: ['3001 api'] });
    t.match([...lastRound.changedReservations], [{ status: 'active', expires_at: secondsFromNow(ttlSeconds) }]);
  }
});

t.test('a full range counts with the renewed time', async (t) => {
  const rows = { ...forApi, ranges: [range(3001, 3001)] };
  const { outcomes } = decide(rows, renew(5), allocate('web'));
  t.match(outcomes[1], { error: { extras: { nextPortAvailableAt: secondsFromNow(5).toISOString() } } });
});

t.test('a cancelled reservation gives its port back within the batch', async (t) => {
  const { outcomes, ports, written } = decide(forApi, allocate('a'), cancel(), allocate('b'), allocate('c'));
  t.same(ports, [3000, 3001, 3001, 3002]);
  t.match(outcomes[1], { value: { status: 'cancelled' } });
  t.same(written, { inserted: ['3000 a', '3001 b', '3002 c'], changedReservations: ['3001 api'] });
});

t.test('what has ended is cancelled without effect, and is answered as it ended', async (t) => {
  const { ports, outcomes, written } = decide(forApi, claim(ID), cancel(), allocate('b', { port: 3001 }));
  t.same(ports, [3001, 3001, 'port-taken']);
  t.match(outcomes[1], { value: { status: 'claimed' } });
  t.same(written, { inserted: ['3001 api'], changedReservations: ['3001 api'] });
  t.match(decideOne(expired, cancel()), { status: 'expired' });
  t.same(decide(expired, cancel()).written, {});
});

t.test('a cancelled reservation can neither be claimed nor renewed', async (t) => {
  const { ports, outcomes } = decide(forApi, cancel(), claim(ID), renew(60), cancel());
  t.same(ports, [3001, 'reservation-ended', 'reservation-ended', 3001]);
  t.match(outcomes[1], { error: { message: 'Reservation reservation of 3001 was cancelled already.' } });
});

t.test('a reservation that is not there is not found, also where another project has it', async (t) => {
  const reservations = [reserved(3100, { project: 'other', id: 'foreign' })];
  for (const id of ['nothing', 'foreign']) {
    for (const command of [claim(id, { service: 'api' }), renew(60, id), cancel(id)]) {
      t.equal(refusalOf({ reservations }, command).code, 'reservation-not-found');
    }
  }
});
