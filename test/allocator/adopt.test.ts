// Taking ports into the registry that are in use already.
import t from 'tap';
import type { Adoption } from '../../src/allocator/commands/adopt.js';
import { adopt, allocate, decide, decideOne } from '../helpers/project-commands.js';
import { held, PROJECT, range, released, reserved, secondsFromNow, UDP } from '../helpers/project-facts.js';

const STAGING = { environment: 'staging' };
const namesOf = (outcomes: ReturnType<typeof decide>['outcomes']) =>
  outcomes.map((outcome) => outcome.ok && (outcome.value as Adoption).allocation?.service);

t.test('a free port is adopted for the service that is named', async (t) => {
  const { outcomes, written } = decide({}, adopt(3002, { service: 'api', ...STAGING }));
  t.match(outcomes, [
    {
      value: {
        outcome: 'adopted',
        detail: 'For odin/api (environment staging).',
        allocation: { port: 3002, service: 'api', environment: 'staging', status: 'allocated' },
      },
    },
  ]);
  t.same(written, { inserted: ['3002 api'] });
});

t.test('without a service the name is made of the process, or else of the port', async (t) => {
  const { outcomes } = decide(
    {},
    adopt(3000, { processName: 'Node.js Server' }),
    adopt(3001),
    adopt(3002, { processName: '--' }),
    adopt(3003, { service: 'given', processName: 'node' }),
  );
  t.same(namesOf(outcomes), ['node.js-server', 'port-3001', 'port-3002', 'given']);
});

t.test('a name that holds another port is numbered, from 2 on', async (t) => {
  const { outcomes } = decide(
    {},
    adopt(3000, { service: 'api' }),
    adopt(3001, { service: 'api' }),
    adopt(3002, { service: 'api' }),
  );
  t.same(namesOf(outcomes), ['api', 'api-2', 'api-3']);
  t.match(outcomes[1], { value: { detail: 'For odin/api-2 (environment default), because api holds another port.' } });
});

t.test('numbering goes on after numbers that are held, and counts each place by itself', async (t) => {
  const allocations = [held(3000), held(3001, { service: 'api-2' }), held(3002, { service: 'api-3' })];
  const { outcomes } = decide(
    { ranges: [range(3000, 3005)], allocations },
    adopt(3003, { service: 'api' }),
    adopt(3004, { service: 'api', ...STAGING }),
    adopt(3003, { service: 'api', ...UDP }),
    adopt(3005, { service: 'api' }),
  );
  t.same(namesOf(outcomes), ['api-4', 'api', 'api', 'api-5']);
});

t.test('a numbered name keeps within 63 characters', async (t) => {
  const name = 'a'.repeat(63);
  const { outcomes } = decide({}, adopt(3000, { service: name }), adopt(3001, { service: name }));
  t.same(namesOf(outcomes), [name, `${'a'.repeat(61)}-2`]);
});

t.test('a port that the service holds already is told as held, and nothing is written', async (t) => {
  const allocations = [held(3000, STAGING)];
  for (const wanted of [{}, { service: 'api' }, { ...STAGING }, { processName: 'node' }]) {
    const { outcomes, written } = decide({ allocations }, adopt(3000, wanted));
    t.match(outcomes, [
      {
        value: {
          outcome: 'held',
          detail: 'Held by odin/api (environment staging).',
          allocation: { id: 'allocation of 3000' },
        },
      },
    ]);
    t.same(written, {});
  }
});

t.test('the same import again finds what it adopted, also under a numbered name', async (t) => {
  const twice = [adopt(3000, { service: 'api' }), adopt(3001, { service: 'api' })];
  const { outcomes, written } = decide({}, ...twice, ...twice);
  t.same(
    outcomes.map((outcome) => outcome.ok && (outcome.value as Adoption).outcome),
    ['adopted', 'adopted', 'held', 'held'],
  );
  t.same(written, { inserted: ['3000 api', '3001 api-2'] });
});

t.test('a port that the project holds for something else is a conflict', async (t) => {
  const allocations = [held(3000)];
  for (const wanted of [{ service: 'web' }, STAGING, { service: 'ap' }]) {
    t.match(decideOne({ allocations }, adopt(3000, wanted)), {
      outcome: 'conflict',
      detail: 'Held by odin/api (environment default).',
      allocation: { id: 'allocation of 3000' },
    });
    t.same(decide({ allocations }, adopt(3000, wanted)).written, {});
  }
});

t.test('a reserved port is a conflict, and who reserved it is told', async (t) => {
  const rows = { reservations: [reserved(3000, { service: 'api' })] };
  t.same(decideOne(rows, adopt(3000, { service: 'api' })), {
    outcome: 'conflict',
    detail: 'Reserved by odin/api, reservation reservation of 3000.',
    allocation: null,
    holder: { kind: 'reservation', id: 'reservation of 3000', project: PROJECT, service: 'api', environment: null },
  });
  t.same(decide(rows, adopt(3000)).written, {});
});

t.test('a port that cools down is a conflict, except for the service that released it', async (t) => {
  const rows = { ranges: [range(3000, 3003, 60)], allocations: [released(3000, 20)] };
  t.match(decideOne(rows, adopt(3000, { service: 'web' })), {
    outcome: 'conflict',
    detail: `Released by odin/api (environment default), and kept for it until ${secondsFromNow(40).toISOString()}.`,
    allocation: null,
  });
  t.match(decideOne(rows, adopt(3000, { service: 'api' })), { outcome: 'adopted' });
});

t.test('a port outside the ranges is a conflict and not a refusal', async (t) => {
  const { outcomes, written } = decide({}, adopt(4000), adopt(3000));
  t.match(outcomes, [
    { ok: true, value: { outcome: 'conflict', detail: 'Port 4000 is not in a range of odin (3000–3003).' } },
    { ok: true, value: { outcome: 'adopted' } },
  ]);
  t.same(written, { inserted: ['3000 port-3000'] });
});

t.test('a port that a command before it took is a conflict', async (t) => {
  const { outcomes } = decide({}, allocate('first'), adopt(3000, { service: 'web' }));
  t.match(outcomes[1], { value: { outcome: 'conflict', detail: 'Held by odin/first (environment default).' } });
});
