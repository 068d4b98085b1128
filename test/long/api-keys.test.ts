import { setTimeout as sleep } from 'node:timers/promises';
import { sql } from 'kysely';
import t from 'tap';
import { makeApp, requester } from '../helpers/app.js';
import { createDatabase, databases, openPostgres } from '../helpers/database.js';
import { ADMIN, bearer, makeKey, WITH_KEYS } from '../helpers/keys.js';
import { assertInvalid, assertProblem } from '../helpers/problems.js';

/** Within this time a revoked key is refused on every replica. */
const EFFECTIVE_WITHIN_MS = 5000;
const KEY = /^pa_[0-9a-f]{32}_[A-Za-z0-9_-]{43}$/;

type Request = ReturnType<typeof requester>;

/** Sends requests until the key is refused. @returns how long that took, in ms */
async function untilRefused(request: Request, key: string): Promise<number> {
  const began = performance.now();
  while ((await request('GET', '/v1/ranges', undefined, bearer(key))).status !== 401) {
    if (performance.now() - began > 3 * EFFECTIVE_WITHIN_MS) break;
    await sleep(20);
  }
  return performance.now() - began;
}

for (const [name, open] of databases) {
  t.test(`keys, on ${name}`, async (t) => {
    const database = await open(t);
    const { db } = database;
    const request = requester(await makeApp(t, database, WITH_KEYS));
    const create = (body: object, headers = {}) => request('POST', '/v1/api-keys', body, { ...ADMIN, ...headers });
    const list = async () => (await request('GET', '/v1/api-keys', undefined, ADMIN)).body.items;
    const dump = async () => {
      const { rows } = await sql<{ all: string }>`
        select concat((select jsonb_agg(k) from api_keys k), (select jsonb_agg(i) from idempotency_keys i)) as all`.execute(
        db,
      );
      return rows[0]?.all ?? '';
    };

    t.test('the secret is shown once, and stored nowhere', async (t) => {
      const wanted = { name: 'deploy', role: 'project', projects: ['consilio'], expiresAt: '2999-01-01T00:00:00.000Z' };
      const { status, body } = await create(wanted, { 'idempotency-key': 'once' });
      t.equal(status, 201);
      t.match(body, { ...wanted, key: KEY, lastUsedAt: null });
      const { key, ...rest } = body;
      t.same((await list()).at(-1), rest);
      const stored = await dump();
      t.match(stored, /deploy/);
      t.notOk(stored.includes(key) || stored.includes(key.slice(-43)));

      const replay = await create(wanted, { 'idempotency-key': 'once' });
      t.match(replay, { status: 201, headers: { 'idempotent-replayed': 'true' }, body: { ...rest, key: null } });
      assertProblem(t, await create({ ...wanted, name: 'x' }, { 'idempotency-key': 'once' }), 'idempotency-key-reused');
      t.equal((await request('GET', '/v1/allocations', undefined, bearer(key))).status, 200);
    });

    t.test('invalid keys are refused', async (t) => {
      const named = { name: 'x' };
      assertInvalid(t, await create({ ...named, role: 'project' }), '/projects');
      assertInvalid(t, await create({ ...named, role: 'reader', projects: ['odin'] }), '/projects');
      assertInvalid(t, await create({ ...named, role: 'project', projects: ['No Name'] }), '/projects/0');
      assertInvalid(t, await create({ ...named, role: 'owner' }), '/role');
      assertInvalid(t, await create({ ...named, role: 'admin', expiresAt: '2020-01-01T00:00:00Z' }), '/expiresAt');
      assertInvalid(t, await create({ ...named, role: 'admin', expiresAt: 'soon' }), '/expiresAt');
      assertInvalid(t, await create({ role: 'admin' }), '/name');
    });

    t.test('a key ends at the time that is asked for, at the edges of the calendar too', async (t) => {
      const expiring = (expiresAt: string) => create({ name: 'x', role: 'reader', expiresAt });
      const stored = async (expiresAt: string) => {
        const { body } = await expiring(expiresAt);
        t.equal((await list()).find(({ id }: { id: string }) => id === body.id)?.expiresAt, body.expiresAt);
        return body.expiresAt;
      };
      t.equal(await stored('9999-12-31T23:59:59.9999Z'), '9999-12-31T23:59:59.999Z');
      t.equal(await stored('9999-12-31T23:59:59+23:59'), '9999-12-31T00:00:59.000Z');
      t.equal(await stored('2998-12-31T23:59:60Z'), '2999-01-01T00:00:00.000Z', 'a leap second');
      const bounds = 'must be a time in the years 1 to 9999 (UTC)';
      for (const edge of ['0000-01-01T00:00:00Z', '9999-12-31T23:59:59-23:59', '9999-12-31T23:59:60Z']) {
        assertInvalid(t, await expiring(edge), '/expiresAt', bounds);
      }
      assertInvalid(t, await expiring('0001-01-01T00:00:00Z'), '/expiresAt', 'It would have expired already.');
      const retry = { 'idempotency-key': 'two-spellings' };
      await create({ name: 'x', role: 'reader', expiresAt: '2999-01-01T00:00:00Z' }, retry);
      const again = await create({ name: 'x', role: 'reader', expiresAt: '2999-01-01T01:00:00.000+01:00' }, retry);
      t.equal(again.headers['idempotent-replayed'], 'true', 'is the same request');
    });

    t.test('the time of the last use is known, without a write for each request', async (t) => {
      const { id, key } = await makeKey(request, 'reader');
      const version = async () =>
        (await sql<{ ctid: string }>`select ctid::text from api_keys where id = ${id}`.execute(db)).rows[0]?.ctid;
      const before = await version();
      const began = Date.now();
      for (let i = 0; i < 50; i++) await request('GET', '/v1/ranges?limit=1', undefined, bearer(key));
      t.equal(await version(), before, 'fifty requests wrote nothing');
      const { lastUsedAt } = (await list()).find((item: { id: string }) => item.id === id);
      t.ok(Math.abs(Date.parse(lastUsedAt) - began) < 60_000, lastUsedAt);
    });

    t.test('the list of keys has pages', async (t) => {
      const all = await list();
      const first = (await request('GET', '/v1/api-keys?limit=1', undefined, ADMIN)).body;
      t.same(first.items, all.slice(0, 1));
      const rest = await request('GET', `/v1/api-keys?cursor=${first.nextCursor}`, undefined, ADMIN);
      t.same(rest.body, { items: all.slice(1), nextCursor: null });
    });

    t.test('a revoked key is gone', async (t) => {
      const { id, key } = await makeKey(request, 'admin');
      const revoke = () => request('DELETE', `/v1/api-keys/${id}`, undefined, ADMIN);
      t.equal((await revoke()).status, 204);
      assertProblem(t, await revoke(), 'api-key-not-found');
      assertProblem(t, await request('GET', '/v1/ranges', undefined, bearer(key)), 'unauthorized');
    });
  });
}

t.test('a key is valid at once, and revoked within 5 seconds, on every replica', async (t) => {
  const url = await createDatabase(t, process.env.TEST_TEMPLATE);
  const one = requester(await makeApp(t, await openPostgres(t, url), WITH_KEYS));
  const other = requester(await makeApp(t, await openPostgres(t, url), WITH_KEYS));
  const { id, key } = await makeKey(one, 'reader');
  for (const replica of [one, other]) {
    t.equal((await replica('GET', '/v1/ranges', undefined, bearer(key))).status, 200);
  }
  await one('DELETE', `/v1/api-keys/${id}`, undefined, ADMIN);
  const took = await Promise.all([untilRefused(one, key), untilRefused(other, key)]);
  t.ok(Math.max(...took) < EFFECTIVE_WITHIN_MS, `${took}`);
});

t.test('a key expires by the clock of the database, without being looked up again', async (t) => {
  const database = await openPostgres(t);
  const request = requester(await makeApp(t, database, WITH_KEYS));
  await makeKey(request, 'reader'); // opens a connection, so that the requests below need not wait for one
  const expiresAt = new Date(Date.now() + 3000).toISOString();
  const wanted = { name: 'short', role: 'reader', expiresAt };
  const { key } = (await request('POST', '/v1/api-keys', wanted, ADMIN)).body;
  t.equal((await request('GET', '/v1/ranges', undefined, bearer(key))).status, 200);
  await untilRefused(request, key);
  const late = Date.now() - Date.parse(expiresAt);
  t.ok(late >= -50 && late < EFFECTIVE_WITHIN_MS, `refused ${late} ms after its time`);
});

t.test('while the database is unavailable only ADMIN_API_KEY is accepted, and no key is called wrong', async (t) => {
  const database = await openPostgres(t);
  const request = requester(await makeApp(t, database, WITH_KEYS));
  const { key } = await makeKey(request, 'reader');
  await database.close();
  const refusal = await request('GET', '/v1/ranges', undefined, bearer(key));
  assertProblem(t, refusal, 'database-unavailable');
  t.match(refusal.headers['retry-after'], /^\d+$/);
  t.equal((await request('GET', '/nowhere', undefined, ADMIN)).status, 404);
});

t.test('without ADMIN_API_KEY nobody can create keys, which would be valid once keys are in force', async (t) => {
  const request = requester(await makeApp(t, await openPostgres(t)));
  const wanted = { name: 'later', role: 'admin' };
  assertProblem(t, await request('POST', '/v1/api-keys', wanted), 'forbidden');
  assertProblem(t, await request('GET', '/v1/api-keys'), 'forbidden');
});
