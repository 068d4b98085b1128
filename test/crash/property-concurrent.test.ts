// Many concurrent callers of two service instances on one database. Their answers must be those of some order of the
// calls, one after another. PROPERTY_SEED=… repeats the same calls.
import assert from 'node:assert/strict';
import fc from 'fast-check';
import t from 'tap';
import { type Answer, makeApp, requester } from '../helpers/app.js';
import { type Command, observe, plans, resolve, send } from '../helpers/commands.js';
import { createDatabase, openPostgres } from '../helpers/database.js';
import { explain } from '../helpers/explain.js';
import { holds } from '../helpers/properties.js';
import { findViolations, propertySeed, resetRegistry, someGaps } from '../helpers/registry.js';

const ALL: Command = { op: 'list', status: 'any', project: undefined, service: undefined };
const RANGES: Command = { op: 'list-ranges', host: 'localhost', protocol: 'tcp' };

t.test('calls at once are answered as if they had come one after another', async (t) => {
  const url = await createDatabase(t);
  const databases = [await openPostgres(t, url), await openPostgres(t, url)] as const;
  const [one, other] = await Promise.all(databases.map(async (database) => requester(await makeApp(t, database))));
  assert.ok(one && other);
  let reordered = 0;

  const batch = fc.array(plans({ reads: true }), { minLength: 2, maxLength: 5, size: 'max' });
  const property = fc.asyncProperty(
    someGaps,
    fc.array(batch, { minLength: 3, maxLength: 10, size: 'max' }),
    async (gaps, batches) => {
      let candidates = [await resetRegistry(databases[0].db, gaps)];
      for (const planned of batches) {
        const ids = candidates[0]?.ids() ?? [];
        const commands = planned.map((plan) => resolve(plan, ids));
        const answers: Answer[] = await Promise.all(commands.map((command, i) => send(i % 2 ? other : one, command)));
        const observed = answers.map(observe);
        const asSent = candidates[0]?.copy();
        if (commands.some((command, i) => !same(asSent?.apply(command, at(observed, i)), at(observed, i)))) reordered++;

        const left = [observe(await send(one, ALL)), observe(await send(other, RANGES))];
        candidates = candidates
          .flatMap((model) => explain(model, commands, observed))
          .flatMap((model) => explain(model, [ALL, RANGES], left))
          .slice(0, 1); // the models that are left differ in nothing else
        assert.equal(candidates.length, 1, `no serial order gives ${describe(commands, observed)}`);
      }
      assert.deepEqual(await findViolations(databases[0].db), []);
    },
  );
  t.comment(`PROPERTY_SEED=${propertySeed}`);
  await holds(t, property, { seed: propertySeed, numRuns: 30, endOnFailure: true, interruptAfterTimeLimit: 40_000 });
  t.comment(`${reordered} batches were not answered in the order sent`);
  t.ok(reordered > 0, 'calls did overtake one another');
});

function same(a: unknown, b: unknown): boolean {
  try {
    assert.deepEqual(a, b);
    return true;
  } catch {
    return false;
  }
}

function at<T>(items: readonly T[], i: number): T {
  return items[i] as T;
}

function describe(commands: readonly Command[], observed: readonly unknown[]): string {
  return commands.map((command, i) => `${JSON.stringify(command)}\n    → ${JSON.stringify(observed[i])}`).join('\n  ');
}
