// What the limits of a project refuse, decided without a database, and how often rows have to be counted.
import t from 'tap';
import { decideAll, needsOf, type ProjectCommand } from '../../src/allocator/decide.js';
import { Allowances } from '../../src/allocator/limits/allowances.js';
import type { RoomFacts } from '../../src/allocator/limits/room.js';
import { planUsage } from '../../src/allocator/limits/usage.js';
import { ProjectState } from '../../src/allocator/project-state.js';
import { UNLIMITED } from '../../src/config/project-limits.js';
import {
  adopt,
  allocate,
  allocateEnvironment,
  claim,
  getOrAllocate,
  release,
  reserve,
  written,
} from '../helpers/project-commands.js';
import { factsOf, held, type Rows, reserved, TCP } from '../helpers/project-facts.js';

const limits = { hosts: 2, environments: 2, reservations: 2, idempotencyKeys: 2, healthChecks: 2 };
const HOST = { host: '10.0.0.7' };

/** Decides commands of a project with this much room. */
function decideWithin(
  room: Partial<RoomFacts['left']> & Partial<RoomFacts>,
  rows: Partial<Rows>,
  ...commands: ProjectCommand[]
) {
  const { newHosts = [], newEnvironments = [], ...left } = room;
  const none = { hosts: 0, environments: 0, reservations: 0, idempotencyKeys: 0 };
  const facts = { ...factsOf(rows), room: { limits, newHosts, newEnvironments, left: { ...none, ...left } } };
  const state = new ProjectState(facts);
  const outcomes = decideAll(state, commands);
  return { outcomes, codes: outcomes.map((one) => (one.ok ? 'ok' : one.error.code)), written: written(state.writes) };
}

const once = (key: string) => ({ idempotency: { caller: 'c', key, requestHash: 'h' } });

t.test('a new environment or host is refused where there is no room, and nothing is written', async (t) => {
  for (const command of [
    getOrAllocate('web', { environment: 'new' }),
    allocateEnvironment(['web', 'db'], { environment: 'new' }),
    getOrAllocate('web', HOST),
    reserve({ ...TCP, ...HOST }),
  ]) {
    const room = { newEnvironments: ['new'], newHosts: ['10.0.0.7'], reservations: 1 };
    const { codes, written } = decideWithin(room, {}, command);
    t.same(codes, ['limit-reached'], command.kind);
    t.same(written, {}, command.kind);
  }
});

t.test('what the project has already needs no room', async (t) => {
  const rows = { allocations: [held(3000, { environment: 'staging' })], reservations: [reserved(3001)] };
  const { codes } = decideWithin(
    {},
    rows,
    getOrAllocate('api', { environment: 'staging' }),
    getOrAllocate('web', { environment: 'staging' }),
    claim('reservation of 3001', { service: 'db', environment: 'staging' }),
    getOrAllocate('web'),
  );
  t.same(codes, ['ok', 'ok', 'ok', 'ok']);
});

t.test('the commands of one transaction share the room, and a new name counts once', async (t) => {
  const within = { newEnvironments: ['a', 'b'], environments: 1 };
  const { codes } = decideWithin(
    within,
    {},
    getOrAllocate('web', { environment: 'a' }),
    getOrAllocate('db', { environment: 'a' }),
    getOrAllocate('web', { environment: 'b' }),
    getOrAllocate('api'),
  );
  t.same(codes, ['ok', 'ok', 'limit-reached', 'ok']);
});

t.test('reservations and idempotency keys are counted down, and a replay needs no room', async (t) => {
  const { codes } = decideWithin(
    { reservations: 1, idempotencyKeys: 1 },
    {},
    reserve(once('k1')),
    reserve(once('k1')),
    reserve(),
    allocate('web', once('k2')),
    allocate('web'),
  );
  t.same(codes, ['ok', 'ok', 'limit-reached', 'limit-reached', 'ok']);
});

t.test('an import reports a port that the limits do not allow, and adopts the others', async (t) => {
  const room = { newEnvironments: ['new'] };
  const { outcomes } = decideWithin(room, {}, adopt(3000, { environment: 'new' }), adopt(3001));
  const reports = outcomes.map((outcome) => outcome.ok && outcome.value);
  t.match(reports, [
    { outcome: 'conflict', detail: /^Project odin holds ports in 2 environments .*MAX_ENVIRONMENTS_PER_PROJECT\.$/ },
    { outcome: 'adopted' },
  ]);
});

t.test('a refusal names the project, the limit, its number, what makes room, and the variable', async (t) => {
  const { outcomes } = decideWithin({}, {}, reserve());
  t.match(outcomes, [
    {
      error: {
        status: 409,
        message:
          'Project odin has 2 reservations, those that ended in the last 7 days included, and more are not allowed. ' +
          'Wait until old ones are deleted, allocate instead, or ask the operator to raise MAX_RESERVATIONS_PER_PROJECT.',
      },
    },
  ]);
});

t.test(
  'a transaction on localhost and in the default environment reads nothing more than without limits',
  async (t) => {
    const allowances = new Allowances(limits);
    const usual = [
      getOrAllocate('web'),
      allocate('web'),
      adopt(3000),
      release('x'),
      allocateEnvironment(['web', 'db']),
    ];
    t.equal(planUsage('odin', usual.map(needsOf), allowances).query, null);
    t.not(planUsage('odin', [needsOf(getOrAllocate('web', { environment: 'new' }))], allowances).query, null);
  },
);

/** Adds rows one at a time until they are refused. */
function fill(replicas: Allowances[], stored = 0): { stored: number; counts: number } {
  let counts = 0;
  const refused = new Set<Allowances>();
  while (refused.size < replicas.length) {
    for (const replica of replicas) {
      let room = replica.take('reservations', 'odin', 1);
      if (room === null) {
        counts += 1;
        room = replica.counted('reservations', 'odin', stored, 1);
      }
      if (room > 0) stored += 1;
      else refused.add(replica);
    }
  }
  return { stored, counts };
}

t.test('one replica fills a project exactly to its limit, and counts rarely', async (t) => {
  const { stored, counts } = fill([new Allowances({ ...UNLIMITED, reservations: 10_000 })]);
  t.equal(stored, 10_000);
  t.ok(counts < 100, `${counts} counts for 10,000 rows`);
  t.equal(fill([new Allowances({ ...UNLIMITED, reservations: 3 })]).stored, 3);
});

t.test('each further replica exceeds the limit by an eighth at most', async (t) => {
  const limit = 10_000;
  const replicas = Array.from({ length: 4 }, () => new Allowances({ ...UNLIMITED, reservations: limit }));
  for (const replica of replicas.slice(1)) replica.counted('reservations', 'odin', 0, 1); // each at the worst moment
  const { stored } = fill(replicas.slice(0, 1));
  t.equal(stored, limit);
  const all = fill(replicas, stored).stored;
  t.ok(all > limit && all <= limit + (3 * limit) / 8, `${all} rows`);
});

t.test('while a project is full nothing is counted again for a second', async (t) => {
  const allowances = new Allowances({ ...UNLIMITED, idempotencyKeys: 5 });
  t.equal(allowances.counted('idempotencyKeys', 'odin', 5, 1), 0);
  t.equal(allowances.take('idempotencyKeys', 'odin', 1), 0);
  t.equal(allowances.take('idempotencyKeys', 'consilio', 1), null, 'another project is counted');
  t.equal(allowances.take('reservations', 'odin', 1), Number.POSITIVE_INFINITY, 'what has no limit is not');
});
