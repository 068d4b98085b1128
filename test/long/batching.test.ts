import fc from 'fast-check';
import t from 'tap';
import type { Outcome, ProjectCommand } from '../../src/allocator/decide.js';
import { Allowances } from '../../src/allocator/limits/allowances.js';
import { type ExecutionOptions, executeCommands } from '../../src/allocator/transaction.js';
import { FreePortMemory, type Machine } from '../../src/allocator/trials.js';
import { UNLIMITED } from '../../src/config/project-limits.js';
import type { Database } from '../../src/database/connect.js';
import { unobserved } from '../../src/observer.js';
import { databases } from '../helpers/database.js';
import { holds } from '../helpers/properties.js';

const HELD = 6;
const key = (service: string) => ({
  project: 'consilio',
  service,
  environment: 'default',
  host: 'localhost',
  protocol: 'tcp' as const,
});

/** Somebody listens on every third port of this machine. */
const machine: Machine = {
  has: ({ host }) => host === 'localhost',
  findUnusable: async (_, ports) => new Set(ports.filter((port) => port % 3 === 0)),
};
const optionsOf = (listens: boolean): ExecutionOptions => ({
  observer: unobserved,
  allowances: new Allowances(UNLIMITED),
  creations: (work) => work(),
  machine: listens ? machine : { ...machine, has: () => false },
  memory: new FreePortMemory(),
});

/** A command without ids, because the ids of allocations differ from run to run. */
type Step = (heldIds: string[]) => ProjectCommand;

const service = fc.constantFrom('a', 'b', 'c');
const held = fc.nat(HELD - 1);
const wish = fc.integer({ min: 3098, max: 3112 });
const details = fc.record({ description: fc.constantFrom('one', 'two', null) }, { requiredKeys: [] });
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.tuple(service, details).map(
    ([service, details]): Step =>
      () => ({ kind: 'get-or-allocate', key: key(service), details }),
  ),
  fc
    .tuple(service, fc.option(wish), fc.option(wish), fc.option(fc.constantFrom('k1', 'k2')))
    .map(([service, port, prefer, idempotencyKey]): Step => {
      const requestHash = `${service} ${port} ${prefer}`;
      const idempotency = idempotencyKey ? { caller: 'test', key: idempotencyKey, requestHash } : null;
      return () => ({ kind: 'allocate', key: key(service), details: {}, port, prefer, idempotency });
    }),
  service.map(
    (service): Step =>
      () => ({ kind: 'release-service', key: key(service) }),
  ),
  held.map(
    (i): Step =>
      (ids) => ({ kind: 'release', id: ids[i] as string }),
  ),
  fc.tuple(held, details).map(
    ([i, details]): Step =>
      (ids) => ({ kind: 'update', id: ids[i] as string, details }),
  ),
);

/** Outcomes without ids and times, which differ from run to run. */
function shapeOf(outcomes: Outcome[], ids: string[]): unknown {
  const plain = outcomes.map((outcome) => (outcome.ok ? outcome.value : { code: outcome.error.code }));
  return JSON.parse(JSON.stringify(plain), (name, value) => {
    if (name === 'id') return ids.includes(value) ? ids.indexOf(value) : 'new';
    return name.endsWith('At') && value !== null ? 'some time' : value;
  });
}

/** Everything that is stored, without ids and times. */
async function contentsOf({ db }: Database): Promise<unknown> {
  const rows = await db
    .selectFrom('port_allocations')
    .select(['port', 'service', 'status', 'description'])
    .orderBy('port')
    .orderBy('released_at')
    .orderBy('service')
    .orderBy('description')
    .execute();
  return rows.map((row) => JSON.stringify(row)).sort();
}

async function start({ db }: Database): Promise<string[]> {
  await db.deleteFrom('idempotency_keys').execute();
  await db.deleteFrom('port_allocations').execute();
  const commands = Array.from({ length: HELD }, (): ProjectCommand => {
    return { kind: 'allocate', key: key('a'), details: {}, port: null, idempotency: null };
  });
  const outcomes = await executeCommands(db, 'consilio', commands);
  return outcomes.map((outcome) => (outcome.ok ? (outcome.value as { allocation: { id: string } }).allocation.id : ''));
}

for (const [name, open] of databases) {
  t.test(`on ${name}, one batch and one transaction each give the same results in the same order`, async (t) => {
    const database = await open(t);
    await holds(
      t,
      fc.asyncProperty(
        fc.array(step, { minLength: 2, maxLength: 15 }),
        fc.boolean(),
        fc.boolean(),
        async (steps, cools, listens) => {
          const options = optionsOf(listens);
          await database.db
            .updateTable('port_ranges')
            .set({ reuse_cooldown_seconds: cools ? 3600 : 0 })
            .execute();
          const aloneIds = await start(database);
          const alone: Outcome[] = [];
          for (const step of steps) {
            alone.push(...(await executeCommands(database.db, 'consilio', [step(aloneIds)], options)));
          }
          const aloneContents = await contentsOf(database);

          const togetherIds = await start(database);
          const together = await executeCommands(
            database.db,
            'consilio',
            steps.map((step) => step(togetherIds)),
            optionsOf(listens),
          );
          t.strictSame(shapeOf(together, togetherIds), shapeOf(alone, aloneIds));
          t.strictSame(await contentsOf(database), aloneContents);
        },
      ),
      { numRuns: name === 'PostgreSQL' ? 60 : 10 },
    );
  });
}
