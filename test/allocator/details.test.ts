// Changing what describes an allocation.
import t from 'tap';
import type { Round } from '../../src/allocator/writes.js';
import { allocate, decide, decideOne, getOrAllocate, key, refusalOf, release } from '../helpers/project-commands.js';
import { held, NOW, released } from '../helpers/project-facts.js';

const described = held(3000, {
  service_type: 'http',
  description: 'The API',
  cloudflare_hostname: 'a.example.com',
  metadata: { team: 'core', tags: { a: 1, b: 2 } },
});
const rows = { allocations: [described] };
const update = (details: object, id = 'allocation of 3000') => ({ kind: 'update', id, details }) as const;
const updateService = (details: object, service = 'api') =>
  ({ kind: 'update-service', key: key(service), details }) as const;

t.test('what is given is changed, null clears, and what is left out stays', async (t) => {
  t.match(decideOne(rows, update({ description: 'New', metadata: null })), {
    serviceType: 'http',
    description: 'New',
    cloudflareHostname: 'a.example.com',
    metadata: null,
    allocatedAt: described.allocated_at.toISOString(),
    updatedAt: NOW.toISOString(),
  });
  t.same(decide(rows, update({ description: 'New' })).written, { updated: ['3000 api'] });
});

t.test('details that do not differ are no change, by whatever command they are given', async (t) => {
  const same = {
    serviceType: 'http',
    description: 'The API',
    cloudflareHostname: 'a.example.com',
    // In another order of its fields.
    metadata: { tags: { b: 2, a: 1 }, team: 'core' },
  };
  for (const details of [same, {}, { description: 'The API' }]) {
    const commands = [update(details), updateService(details), getOrAllocate('api', { details })];
    const { outcomes, written } = decide(rows, ...commands);
    const updatedAt = described.updated_at.toISOString();
    t.match(outcomes, [{ value: { updatedAt } }, { value: [{ updatedAt }] }, { value: { allocation: { updatedAt } } }]);
    t.same(written, {});
  }
});

t.test('metadata that differs deep inside is a change', async (t) => {
  const metadata = { team: 'core', tags: { a: 1, b: 3 } };
  t.same(decide(rows, update({ metadata })).written, { updated: ['3000 api'] });
});

t.test('each change of a row is written as it was then, so that the feed tells of each', async (t) => {
  const { state, rounds } = decide(rows, update({ description: 'One' }), update({ description: 'Two' }));
  t.same(rounds, [{ updated: ['3000 api'] }, { updated: ['3000 api'] }]);
  const [first, second] = state.writes.rounds.map(({ updated }) => [...updated][0]);
  t.match([first, second], [{ description: 'One' }, { description: 'Two', service_type: 'http' }]);
});

t.test('a row that is new in the batch is inserted without its changes, which follow', async (t) => {
  const { state, rounds } = decide({}, allocate('api'), updateService({ description: 'Later' }));
  t.same(rounds, [{ inserted: ['3000 api'] }, { updated: ['3000 api'] }]);
  const [{ inserted }, { updated }] = state.writes.rounds as [Round, Round];
  t.match([...inserted, ...updated], [{ description: null }, { description: 'Later' }]);
});

t.test('a released allocation is history, and cannot be changed', async (t) => {
  t.equal(
    refusalOf({ allocations: [released(3000, 9)] }, update({}, 'former allocation of 3000')).code,
    'allocation-released',
  );
  const { ports, written } = decide(rows, release('allocation of 3000'), update({ description: 'x' }));
  t.same(ports, [3000, 'allocation-released']);
  t.same(written, { releasedIds: ['allocation of 3000'] });
});

t.test('all that a key holds is changed at once, and only what differs is written', async (t) => {
  const allocations = [held(3002), described, held(3001, { service: 'web' })];
  const { ports, written } = decide({ allocations }, updateService({ description: 'The API' }));
  t.same(ports, [[3000, 3002]]);
  t.same(written, { updated: ['3002 api'] });
});

t.test('a key that holds nothing cannot be described', async (t) => {
  const { code, message } = refusalOf(rows, updateService({ description: 'x' }, 'web'));
  t.equal(code, 'allocation-not-found');
  t.equal(message, 'odin/web holds no tcp port on localhost in environment default.');
});
