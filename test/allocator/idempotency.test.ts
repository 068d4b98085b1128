// What a request with an idempotency key is answered the second time.
import t from 'tap';
import type { ProjectCommand } from '../../src/allocator/decide.js';
import { allocate, claim, decide, refusalOf, release, reserve } from '../helpers/project-commands.js';
import { held, range, reserved } from '../helpers/project-facts.js';

const keyed = (key: string, requestHash = 'hash', caller = 'ci') => ({ idempotency: { caller, key, requestHash } });
const claimFor = (idempotency: object) => claim('reservation of 3001', { service: 'api', ...idempotency });
const rows = { reservations: [reserved(3001)] };

const commands: [name: string, make: (idempotency: object) => ProjectCommand, writes: object][] = [
  ['an allocation', (given) => allocate('api', given), { inserted: ['3000 api'] }],
  ['a reservation', (given) => reserve(given), { insertedReservations: ['3000 null'] }],
  ['a claim', claimFor, { inserted: ['3001 api'], changedReservations: ['3001 null'] }],
];

for (const [name, make, writes] of commands) {
  t.test(`${name} is made once in a batch, and a repetition gets the first answer`, async (t) => {
    const { outcomes, written } = decide(rows, make(keyed('k')), make(keyed('k')));
    t.match(outcomes, [{ value: { replayed: false } }, { value: { replayed: true } }]);
    const answers = outcomes.map((outcome) => outcome.ok && { ...outcome.value, replayed: null });
    t.same(answers[1], answers[0]);
    t.same(written, { ...writes, answers: ['ci k'] });
  });

  t.test(`${name} is refused where the key was used for another request`, async (t) => {
    const { ports, written } = decide(rows, make(keyed('k')), make(keyed('k', 'other')));
    t.equal(ports[1], 'idempotency-key-reused');
    t.same(written, { ...writes, answers: ['ci k'] });
    const answers = [{ caller: 'ci', key: 'k', request_hash: 'hash', response: {} }];
    t.equal(refusalOf({ ...rows, answers }, make(keyed('k', 'other'))).code, 'idempotency-key-reused');
  });

  t.test(
    `${name} that was answered in an earlier transaction is answered so again, and nothing is written`,
    async (t) => {
      const response = { port: 4711, id: 'from long ago' };
      const answers = [{ caller: 'ci', key: 'k', request_hash: 'hash', response }];
      const { outcomes, written } = decide({ ...rows, answers }, make(keyed('k')));
      const field = name === 'a reservation' ? 'reservation' : 'allocation';
      t.match(outcomes, [{ value: { replayed: true, [field]: response } }]);
      t.same(written, {});
    },
  );
}

t.test('two callers may use one key for two things', async (t) => {
  const { ports, written } = decide(
    {},
    allocate('api', keyed('k')),
    allocate('web', keyed('k', 'other', 'somebody else')),
  );
  t.same(ports, [3000, 3001]);
  t.same(written.answers, ['ci k', 'somebody else k']);
});

t.test('without a key every request is one of its own', async (t) => {
  t.same(decide({}, allocate('api'), allocate('api')).ports, [3000, 3001]);
});

t.test('a refusal is not kept: the request succeeds as soon as it can', async (t) => {
  const full = { ranges: [range(3000, 3000)], allocations: [held(3000)] };
  const command = allocate('web', keyed('k'));
  const { ports, written } = decide(full, command, release('allocation of 3000'), command, command);
  t.same(ports, ['range-exhausted', 3000, 3000, 3000]);
  t.same(written, { releasedIds: ['allocation of 3000'], inserted: ['3000 web'], answers: ['ci k'] });
});

t.test('the first answer is given again even after the allocation was released', async (t) => {
  const command = allocate('api', keyed('k'));
  const releaseApi = { kind: 'release-service', key: command.key } as const;
  const { outcomes, ports } = decide({}, command, releaseApi, command);
  t.same(ports, [3000, [3000], 3000]);
  t.match(outcomes[2], { value: { replayed: true, allocation: { status: 'allocated', releasedAt: null } } });
});

t.test('a claim of what was claimed before creates nothing, so its answer is not kept', async (t) => {
  const { ports, written } = decide(rows, claimFor({}), claimFor(keyed('k')));
  t.same(ports, [3001, 3001]);
  t.same(written, { inserted: ['3001 api'], changedReservations: ['3001 null'] });
});
