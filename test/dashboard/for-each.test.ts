// An action on many things.
import t from 'tap';
import { importOfDashboard } from '../helpers/dashboard-module.js';

type DoForEach = (
  items: number[],
  nameOf: (item: number) => string,
  action: (item: number) => Promise<number>,
) => Promise<{ done: number[]; failed: { what: string; error: unknown }[] }>;
const { doForEach } = await importOfDashboard<{ doForEach: DoForEach }>('for-each.ts');

t.test('tells what failed in the order in which it was given, whatever failed first', async (t) => {
  const error = new Error('No');
  let atATime = 0;
  let most = 0;
  const { done, failed } = await doForEach([50, 40, 30, 20, 10, 5], String, async (ms) => {
    most = Math.max(most, ++atATime);
    await new Promise((resolve) => setTimeout(resolve, ms));
    atATime--;
    if (ms % 20 === 10 || ms === 20) throw error;
    return ms;
  });
  t.same(
    failed.map(({ what }) => what),
    ['50', '30', '20', '10'],
  );
  t.equal(failed[0]?.error, error);
  t.same(done, [40, 5]);
  t.equal(most, 4);
});
