// What the database is made to do by callers who have no key, and by one who reads metrics all the time.
import { randomBytes, randomUUID } from 'node:crypto';
import { Agent, request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { CallersBeside, makeProjectKey, startSmallService } from '../helpers/beside.js';
import { countStatements } from '../helpers/counting-relay.js';
import { createDatabase } from '../helpers/database.js';
import { ADMIN, bearer } from '../helpers/keys.js';

t.setTimeout(60_000);

const LIMIT = 4000;
const CONNECTIONS = 20;
/** How long a look-up of a key is used, and some more. */
const LOOKED_UP_FOR_MS = 3200;
/** What a service may do by itself meanwhile: mark reservations as expired, note when keys were used. */
const OWN_STATEMENTS = 30;

const wrongKey = () => bearer(`pa_${randomUUID().replaceAll('-', '')}_${randomBytes(32).toString('base64url')}`);

t.test('wrong keys, /readyz and /metrics cost no statements beyond their bounds', async (t) => {
  const database = await countStatements(t, await createDatabase(t, process.env.TEST_TEMPLATE));
  const service = await startSmallService(t, { DATABASE_URL: database.url, RATE_LIMIT_PER_MINUTE: String(LIMIT) });
  const url = await service.url;
  const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS });
  t.teardown(() => agent.destroy());
  const ask = (path: string, headers: Record<string, string>, localAddress?: string) =>
    new Promise<number>((resolve, reject) => {
      const asked = request(url + path, { headers, ...(localAddress ? { localAddress } : { agent }) }, (answer) => {
        answer.resume().once('end', () => resolve(answer.statusCode ?? 0));
      });
      asked.once('error', reject).end();
    });
  /** @returns how many were answered with each status, and how many statements were executed meanwhile */
  const flood = async (count: number, path: string, headers: () => Record<string, string>) => {
    const before = database.executed();
    const statuses: Record<number, number> = {};
    let left = count;
    const began = performance.now();
    const work = async () => {
      while (left-- > 0) {
        const status = await ask(path, headers());
        statuses[status] = (statuses[status] ?? 0) + 1;
      }
    };
    await Promise.all(Array.from({ length: CONNECTIONS }, work));
    const seconds = (performance.now() - began) / 1000;
    const flooded = { statuses, statements: database.executed() - before, seconds: Number(seconds.toFixed(1)) };
    t.comment(`${count} × ${path}: ${JSON.stringify(flooded)}`);
    return flooded;
  };

  const [used, unused] = [await makeProjectKey(service, 'odin'), await makeProjectKey(service, 'odin')];
  t.equal(await ask('/v1/ranges', bearer(used)), 200);

  const metrics = await flood(600, '/metrics', () => ADMIN);
  t.same(metrics.statuses, { 200: 600 });
  t.ok(metrics.statements <= metrics.seconds + 1 + OWN_STATEMENTS, 'one count of all ports a second');
  const readiness = await flood(1500, '/readyz', () => ({}));
  t.same(readiness.statuses, { 200: 1500 });
  t.ok(readiness.statements <= readiness.seconds + 1 + OWN_STATEMENTS, 'one look at the database a second');

  const beside = await CallersBeside.start(service);
  const { statuses } = await flood(LIMIT, '/v1/ranges', wrongKey);
  const lookedUp = statuses[401] ?? 0;
  t.ok(lookedUp <= LIMIT - 1500 && lookedUp > LIMIT - 1600, `${lookedUp}: as many look-ups as the limit leaves`);
  t.equal(lookedUp + (statuses[429] ?? 0), LIMIT);
  await beside.stop(t).then((figures) => t.comment(`beside: ${JSON.stringify(figures)}`));

  const beyond = await flood(1500, '/v1/ranges', wrongKey);
  t.same(beyond.statuses, { 429: 1500 });
  t.ok(beyond.statements <= OWN_STATEMENTS, 'and no look-up beyond it');
  t.equal(await ask('/readyz', {}), 429);
  t.equal(await ask('/livez', {}), 200);
  await sleep(LOOKED_UP_FOR_MS);
  t.equal(await ask('/v1/ranges', bearer(used)), 200, 'a key that was used here before is looked up again');
  t.equal(await ask('/v1/ranges', bearer(unused)), 429, 'one that was not is not, from this address');
  t.equal(await ask('/v1/ranges', bearer(unused), '127.0.0.7'), 200, 'from another it is');
  t.equal(await ask('/v1/ranges', bearer(unused)), 200, 'and then from everywhere');
});
