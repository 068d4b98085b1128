import { sql } from 'kysely';
import t from 'tap';
import { makeApp, requester } from '../../helpers/app.js';
import { openPostgres } from '../../helpers/database.js';
import { ADMIN, bearer, makeKey, WITH_KEYS } from '../../helpers/keys.js';
import { assertInvalid, assertProblem } from '../../helpers/problems.js';

const url = 'http://localhost:3105/events';

t.test('webhooks', async (t) => {
  const request = requester(await makeApp(t, await openPostgres(t)));

  t.test('one is made, read, changed and deleted; its secret is in the first answer alone', async (t) => {
    const made = await request('POST', '/v1/webhooks', { url, types: ['service.down'], description: 'Restarts' });
    t.equal(made.status, 201);
    const { secret, ...webhook } = made.body;
    t.match(secret, /^whsec_[A-Za-z0-9+/]{43}=$/);
    t.match(webhook, { url, types: ['service.down'], projects: [], enabled: true, createdBy: 'anonymous' });
    t.equal(made.headers.location, `/v1/webhooks/${webhook.id}`);
    const path = `/v1/webhooks/${webhook.id}`;
    t.strictSame((await request('GET', path)).body, webhook);
    t.strictSame((await request('GET', '/v1/webhooks')).body, { items: [webhook], nextCursor: null });
    const changed = await request('PATCH', path, { description: null, projects: ['odin'] });
    t.strictSame(changed.body, { ...webhook, description: null, projects: ['odin'] });
    t.strictSame((await request('PATCH', path, {})).body, changed.body);
    t.equal((await request('DELETE', path)).status, 204);
    for (const [method, of] of [
      ['GET', ''],
      ['PATCH', ''],
      ['DELETE', ''],
      ['GET', '/deliveries'],
    ] as const) {
      assertProblem(t, await request(method, path + of, method === 'PATCH' ? {} : undefined), 'webhook-not-found');
    }
  });

  t.test('a repeated request is answered without the secret, and makes no other', async (t) => {
    const post = () => request('POST', '/v1/webhooks', { url }, { 'idempotency-key': 'k1' });
    const first = await post();
    const second = await post();
    t.strictSame(second.body, { ...first.body, secret: null });
    t.equal(second.headers['idempotent-replayed'], 'true');
    await request('DELETE', `/v1/webhooks/${first.body.id}`);
  });

  t.test('what is wrong with a field is told', async (t) => {
    assertInvalid(t, await request('POST', '/v1/webhooks', { url: 'ftp://localhost' }), '/url');
    assertInvalid(t, await request('POST', '/v1/webhooks', { url: 'http://kim:hush@localhost' }), '/url');
    assertInvalid(t, await request('POST', '/v1/webhooks', { url, types: ['service.sideways'] }), '/types/0');
    const refused = await request('POST', '/v1/webhooks', { url: 'http://hooks.example/?token=hush' });
    const problem = assertProblem(t, refused, 'destination-not-allowed');
    t.match(problem.detail, 'PROBE_ALLOWED_HOSTS');
    t.notMatch(problem.detail, 'hush');
  });

  t.test('there are at most 100', async (t) => {
    const statuses: number[] = [];
    for (let count = 0; count < 101; count += 1) statuses.push((await request('POST', '/v1/webhooks', { url })).status);
    t.same(statuses, [...Array(100).fill(201), 409]);
    assertProblem(t, await request('POST', '/v1/webhooks', { url }), 'limit-reached');
  });
});

t.test('who may have webhooks', async (t) => {
  const request = requester(await makeApp(t, await openPostgres(t), WITH_KEYS));
  const keys = {
    consilio: bearer((await makeKey(request, 'project', 'consilio', 'odin')).key),
    odin: bearer((await makeKey(request, 'project', 'odin')).key),
    reader: bearer((await makeKey(request, 'reader')).key),
  };
  const post = (headers: Record<string, string>, projects: string[]) =>
    request('POST', '/v1/webhooks', { url, projects }, headers);
  const ids = async (headers: Record<string, string>) =>
    (await request('GET', '/v1/webhooks', undefined, headers)).body.items.map(({ id }: { id: string }) => id);

  const all = (await post(ADMIN, [])).body.id;
  const both = (await post(keys.consilio, ['consilio', 'odin'])).body.id;
  const odin = (await post(keys.odin, ['odin'])).body.id;
  t.same(await ids(ADMIN), [all, both, odin]);
  t.same(await ids(keys.consilio), [both, odin]);
  t.same(await ids(keys.odin), [odin]);
  assertProblem(t, await request('GET', `/v1/webhooks/${both}`, undefined, keys.odin), 'webhook-not-found');
  assertProblem(t, await post(keys.odin, ['consilio']), 'forbidden');
  assertInvalid(t, await post(keys.odin, []), '/projects');
  assertInvalid(t, await request('PATCH', `/v1/webhooks/${odin}`, { projects: [] }, keys.odin), '/projects');
  for (const path of ['/v1/webhooks', `/v1/webhooks/${all}`, `/v1/webhooks/${all}/deliveries`]) {
    assertProblem(t, await request('GET', path, undefined, keys.reader), 'forbidden');
  }
  assertProblem(t, await post(keys.reader, []), 'forbidden');
  const elsewhere = { role: 'project', projects: ['odin'], hosts: ['build-1'], name: 'elsewhere' };
  const limited = bearer((await request('POST', '/v1/api-keys', elsewhere, ADMIN)).body.key);
  t.equal((await request('PATCH', `/v1/webhooks/${odin}`, { enabled: false }, limited)).status, 200);
  const enabled = await request('PATCH', `/v1/webhooks/${odin}`, { enabled: true }, limited);
  t.match(assertProblem(t, enabled, 'forbidden').detail, 'localhost', 'it sends nothing to another host');
  const delivery = `/v1/webhooks/${odin}/deliveries/00000000-0000-4000-8000-000000000000`;
  assertProblem(t, await request('POST', `${delivery}/repeat`, undefined, limited), 'forbidden');
  assertProblem(t, await request('POST', `${delivery}/repeat`, undefined, keys.odin), 'webhook-disabled');
  for (let count = 1; count < 20; count += 1) t.equal((await post(keys.odin, ['odin'])).status, 201);
  assertProblem(t, await post(keys.odin, ['odin']), 'limit-reached');
  t.equal((await post(ADMIN, [])).status, 201);
});

t.test('a key sees and repeats no deliveries of projects that it may not see', async (t) => {
  const { db, ...database } = await openPostgres(t);
  const request = requester(await makeApp(t, { db, ...database }, WITH_KEYS));
  const { body: webhook } = await request('POST', '/v1/webhooks', { url, types: ['service.up'] }, ADMIN);
  await sql`
    insert into webhook_deliveries (webhook_id, position, type, project, status, ended_at)
    select ${webhook.id}, i, 'service.up', p, 'delivered', now()
    from unnest('{consilio,odin,""}'::text[]) with ordinality p (p, i)`.execute(db);
  const path = `/v1/webhooks/${webhook.id}`;
  const { items: all } = (await request('GET', `${path}/deliveries`, undefined, ADMIN)).body;
  t.equal(all.length, 3);
  await request('PATCH', path, { projects: ['consilio'] }, ADMIN);

  const consilio = bearer((await makeKey(request, 'project', 'consilio')).key);
  const seen = (await request('GET', `${path}/deliveries`, undefined, consilio)).body.items;
  t.match(
    seen.map(({ project }: { project: string }) => project),
    ['consilio'],
  );
  const repeat = (id: string, key: typeof ADMIN) => request('POST', `${path}/deliveries/${id}/repeat`, undefined, key);
  for (const { id, project } of all) {
    for (const key of [consilio, ADMIN]) {
      if (project === 'consilio') t.equal((await repeat(id, key)).status, 200);
      else assertProblem(t, await repeat(id, key), 'delivery-not-found');
    }
  }
  await request('PATCH', path, { projects: [] }, ADMIN);
  t.equal((await repeat(all[0].id, ADMIN)).status, 200, 'also one of no project');
});
