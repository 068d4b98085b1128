// A single caller: every answer must be the one that the model predicts. PROPERTY_SEED=… repeats a run.
import assert from 'node:assert/strict';
import fc from 'fast-check';
import t, { type Test } from 'tap';
import type { Database } from '../../src/database/connect.js';
import type { Allocation } from '../../src/schemas/allocation.js';
import { makeApp, requester } from '../helpers/app.js';
import { observe, plans, resolve, send } from '../helpers/commands.js';
import { openEmbedded, openPostgres } from '../helpers/database.js';
import { holds } from '../helpers/properties.js';
import { findViolations, propertySeed, resetRegistry, someGaps } from '../helpers/registry.js';

const kinds: [name: string, open: (t: Test) => Promise<Database>, numRuns: number][] = [
  ['PostgreSQL', openPostgres, 50],
  ['the embedded default', openEmbedded, 6],
];

for (const [name, open, numRuns] of kinds) {
  t.test(`on ${name}, whatever is asked in whatever order, every answer is the model's`, async (t) => {
    const database = await open(t);
    const request = requester(await makeApp(t, database));
    const tried = new Map<string, number>();
    const property = fc.asyncProperty(
      someGaps,
      fc.array(plans({ reads: true }), { minLength: 15, maxLength: 60, size: 'max' }),
      async (gaps, planned) => {
        const model = await resetRegistry(database.db, gaps);
        const last = new Map<string, Allocation>();
        for (const plan of planned) {
          const command = resolve(plan, model.ids());
          const answer = await send(request, command);
          const observed = observe(answer);
          assert.deepEqual(observed, model.apply(command, observed), JSON.stringify(command));
          // A replayed answer has the state of its first use, and not the current one.
          const told = answer.headers['idempotent-replayed'] ? [] : allocationsOf(answer.body);
          for (const allocation of told) {
            checkTimes(allocation, last.get(allocation.id));
            last.set(allocation.id, allocation);
          }
          const outcome = `${command.op} ${answer.body?.code ?? answer.status}`;
          tried.set(outcome, (tried.get(outcome) ?? 0) + 1);
        }
        assert.deepEqual(await findViolations(database.db), []);
      },
    );
    t.comment(`PROPERTY_SEED=${propertySeed}`);
    await holds(t, property, { seed: propertySeed, numRuns, interruptAfterTimeLimit: 40_000 });
    t.comment(Object.fromEntries([...tried].sort()));
    for (const outcome of ['get-or-allocate 201', 'allocate 201', 'release 200', 'exclude 201']) {
      t.ok((tried.get(outcome) ?? 0) > 0, `${outcome} was among the answers`);
    }
  });
}

/** The allocations in an answer. */
function allocationsOf(body: unknown): Allocation[] {
  const { items = [body] } = (body ?? {}) as { items?: unknown[] };
  return items.filter((item): item is Allocation => typeof item === 'object' && item !== null && 'allocatedAt' in item);
}

function checkTimes(allocation: Allocation, before: Allocation | undefined): void {
  const { releasedAt, updatedAt, allocatedAt } = allocation;
  assert.equal(releasedAt !== null, allocation.status === 'released');
  if (releasedAt !== null) assert.equal(releasedAt, updatedAt);
  assert.ok(updatedAt >= allocatedAt);
  if (before === undefined) return;
  assert.equal(allocatedAt, before.allocatedAt);
  const described = ({ updatedAt: _, ...rest }: Allocation) => rest;
  try {
    assert.deepEqual(described(allocation), described(before));
  } catch {
    return; // it was changed
  }
  assert.equal(updatedAt, before.updatedAt, 'what changes nothing is no update');
}
