import t from 'tap';
import { makeApp, requester } from '../helpers/app.js';
import { databases } from '../helpers/database.js';

const outcomes = (body: { items: { outcome: string }[] }) => [...new Set(body.items.map(({ outcome }) => outcome))];

for (const [name, open] of databases) {
  t.test(`on ${name}`, async (t) => {
    const request = requester(await makeApp(t, await open(t), { REQUEST_TIMEOUT_MS: '60000' }));
    const adopt = (items: object[]) => request('POST', '/v1/imports', { items });

    t.test('a full range is imported, and imported again', async (t) => {
      const items = Array.from({ length: 1000 }, (_, i) => ({ port: 9000 + i, service: `s${i}` }));
      const first = await adopt(items);
      t.same([first.status, outcomes(first.body)], [200, ['adopted']]);
      const again = await adopt(items);
      t.same([again.status, outcomes(again.body)], [200, ['held']]);
      const one = await adopt(Array.from({ length: 2000 }, () => ({ port: 9001 })));
      t.same([one.status, outcomes(one.body)], [200, ['held']]);
    });

    t.test('ports of a thousand hosts are imported at once, with cooldowns', async (t) => {
      await request('PATCH', '/v1/ranges/3100', { reuseCooldownSeconds: 60 });
      const items = Array.from({ length: 1000 }, (_, i) => ({
        port: 3100 + (i % 100),
        host: `host-${i}`,
        service: 'a',
      }));
      const answer = await adopt(items);
      t.same([answer.status, outcomes(answer.body)], [200, ['adopted']]);
    });
  });
}
