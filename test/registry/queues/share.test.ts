import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { shareForASecond } from '../../../src/registry/queues/share.js';

t.test('all who ask within a second share one computation', async (t) => {
  let computed = 0;
  const ask = shareForASecond(async () => {
    await sleep(10);
    return ++computed;
  });
  t.same(await Promise.all([ask(), ask(), ask()]), [1, 1, 1]);
  t.equal(await ask(), 1);
  await sleep(1100);
  t.equal(await ask(), 2);
});

t.test(
  'a computation that lasts longer than a second is still shared, and a failed one only until it fails',
  async (t) => {
    let begun = 0;
    const ask = shareForASecond(async () => {
      begun += 1;
      await sleep(1100);
      throw new Error(`failure ${begun}`);
    });
    const first = ask();
    const late = sleep(1050).then(ask);
    await t.rejects(first, { message: 'failure 1' });
    await t.rejects(late, { message: 'failure 1' });
    await t.rejects(ask(), { message: 'failure 2' });
  },
);
