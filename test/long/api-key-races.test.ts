// Whoever changes keys has to have a key that is in force at that moment, whatever a replica's cache still knows.
import { sql } from 'kysely';
import t from 'tap';
import { makeApp, requester } from '../helpers/app.js';
import { createDatabase, databases, openPostgres } from '../helpers/database.js';
import { ADMIN, bearer, expireKey, makeKey, WITH_KEYS } from '../helpers/keys.js';
import { assertProblem } from '../helpers/problems.js';

const WANTED = { name: 'minted', role: 'reader' };

/** Two replicas of one registry, each with the cache of keys of its own. */
async function openReplicas(t: Parameters<typeof openPostgres>[0]) {
  const url = await createDatabase(t, process.env.TEST_TEMPLATE);
  const database = await openPostgres(t, url);
  const one = requester(await makeApp(t, database, WITH_KEYS));
  const other = requester(await makeApp(t, await openPostgres(t, url), WITH_KEYS));
  return { one, other, db: database.db };
}

t.test('a revoked admin key, which another replica still accepts, makes and revokes no key', async (t) => {
  const { one, other } = await openReplicas(t);
  const { id, key } = await makeKey(one, 'admin');
  const victim = await makeKey(one, 'reader');
  const made = await other('POST', '/v1/api-keys', WANTED, { ...bearer(key), 'idempotency-key': 'before' });
  t.match(made, { status: 201, body: { createdBy: id } });
  t.equal((await one('DELETE', `/v1/api-keys/${id}`, undefined, ADMIN)).status, 204);

  t.equal((await other('GET', '/v1/ranges', undefined, bearer(key))).status, 200, 'the other replica still accepts it');
  const refusals = [
    await other('POST', '/v1/api-keys', WANTED, bearer(key)),
    await other('POST', '/v1/api-keys', WANTED, { ...bearer(key), 'idempotency-key': 'before' }),
    await other('DELETE', `/v1/api-keys/${victim.id}`, undefined, bearer(key)),
    await other('DELETE', `/v1/api-keys/${id}`, undefined, bearer(key)),
  ];
  for (const refusal of refusals) {
    assertProblem(t, refusal, 'unauthorized');
    t.equal(refusal.headers['www-authenticate'], 'Bearer realm="port-allocator", error="invalid_token"');
  }
  const { items } = (await one('GET', '/v1/api-keys', undefined, ADMIN)).body;
  t.match(items, [
    { id: victim.id, createdBy: 'ADMIN_API_KEY' },
    { id: made.body.id, createdBy: id },
  ]);
  t.equal(items.length, 2, 'the key that it made before is there, and says who made it');
});

t.test('a revocation that is being committed is waited for', async (t) => {
  const { one, other, db } = await openReplicas(t);
  const { id, key } = await makeKey(one, 'admin');
  t.equal((await other('GET', '/v1/ranges', undefined, bearer(key))).status, 200);
  const minted = await db.transaction().execute(async (trx) => {
    await sql`delete from api_keys where id = ${id}`.execute(trx);
    const asking = other('POST', '/v1/api-keys', WANTED, bearer(key));
    const waiting = sql<{ one: number }>`
      select 1 as one from pg_stat_activity
      where datname = current_database() and wait_event_type = 'Lock' and query ilike '%from api_keys%'`;
    while ((await waiting.execute(db)).rows.length === 0);
    return { asking };
  });
  assertProblem(t, await minted.asking, 'unauthorized');
});

t.test('of callers who mint with a key while it is revoked, all that come later are refused', async (t) => {
  const { one, other } = await openReplicas(t);
  for (let round = 0; round < 5; round++) {
    const { id, key } = await makeKey(one, 'admin');
    const mint = (replica: typeof one) => replica('POST', '/v1/api-keys', WANTED, bearer(key));
    await Promise.all([one, other].map((replica) => replica('GET', '/v1/ranges', undefined, bearer(key))));
    const racing = [one, other, one, other].map(mint);
    const revoking = one('DELETE', `/v1/api-keys/${id}`, undefined, ADMIN);
    racing.push(...[other, one, other].map(mint));
    t.equal((await revoking).status, 204);
    const late = await Promise.all([one, other].map(mint));
    t.same(
      late.map(({ status }) => status),
      [401, 401],
    );
    const answers = await Promise.all(racing);
    const made = answers.filter(({ status }) => status === 201).map(({ body }) => body.id);
    t.same(
      answers.filter(({ status }) => status !== 201 && status !== 401),
      [],
    );
    const { items } = (await one('GET', '/v1/api-keys?limit=1000', undefined, ADMIN)).body;
    const stored = items.filter(({ createdBy }: { createdBy: string }) => createdBy === id);
    t.same(stored.map(({ id }: { id: string }) => id).sort(), made.sort(), 'what was answered is what is stored');
  }
});

t.test('of two admin keys that revoke each other at the same time, exactly one does', async (t) => {
  const { one, other } = await openReplicas(t);
  for (let round = 0; round < 10; round++) {
    const [a, b] = await Promise.all([makeKey(one, 'admin'), makeKey(one, 'admin')]);
    await Promise.all(
      [one, other].flatMap((r) => [a, b].map(({ key }) => r('GET', '/v1/ranges', undefined, bearer(key)))),
    );
    const answers = await Promise.all([
      one('DELETE', `/v1/api-keys/${b.id}`, undefined, bearer(a.key)),
      other('DELETE', `/v1/api-keys/${a.id}`, undefined, bearer(b.key)),
    ]);
    t.same(answers.map(({ status }) => status).sort(), [204, 401]);
  }
});

for (const [name, open] of databases) {
  t.test(`an expired admin key makes no key, and any admin key may revoke itself, on ${name}`, async (t) => {
    const database = await open(t);
    const request = requester(await makeApp(t, database, WITH_KEYS));
    const { id, key } = await makeKey(request, 'admin');
    t.equal((await request('GET', '/v1/ranges', undefined, bearer(key))).status, 200);
    await expireKey(database, id);
    assertProblem(t, await request('POST', '/v1/api-keys', WANTED, bearer(key)), 'unauthorized');
    const own = await makeKey(request, 'admin');
    t.equal((await request('DELETE', `/v1/api-keys/${own.id}`, undefined, bearer(own.key))).status, 204);
  });
}
