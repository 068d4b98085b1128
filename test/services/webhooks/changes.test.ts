// What a change of a webhook does to events that have happened before it, and to the key that answers for it.
import { sql } from 'kysely';
import t from 'tap';
import { makeApp, requester } from '../../helpers/app.js';
import { openPostgres } from '../../helpers/database.js';
import { ADMIN, bearer, makeKey, WITH_KEYS } from '../../helpers/keys.js';
import { assertProblem } from '../../helpers/problems.js';
import { startReceiver } from '../../helpers/receiver.js';
import { sendWebhooks, untilDeliveries } from '../../helpers/webhooks.js';

const url = 'http://localhost:1/';

t.test('other types count for events from the change on, also if the sender is behind', async (t) => {
  const database = await openPostgres(t);
  const request = requester(await makeApp(t, database));
  const receiver = await startReceiver(t);
  const { body: webhook } = await request('POST', '/v1/webhooks', { url: receiver.url, types: ['allocation.created'] });
  receiver.secret = webhook.secret;
  await sql`
    insert into new_events (type, project, subject, actor, data)
    select 'service.up', 'consilio', 'allocations/' || i, current_actor(), '{}' from generate_series(1, 4500) i`.execute(
    database.db,
  );
  const change = async (service: string) => {
    await request('PUT', `/v1/projects/consilio/services/${service}`);
    await request('DELETE', `/v1/projects/consilio/services/${service}`);
  };
  await change('before');
  const patched = await request('PATCH', `/v1/webhooks/${webhook.id}`, { types: ['allocation.released'] });
  t.match(patched, { status: 200, body: { types: ['allocation.released'] } });
  await change('after');
  sendWebhooks(t, database);
  await untilDeliveries(database.db, 'delivered', 2);
  t.same(
    receiver.received.map(({ event }) => `${event.data.allocation.service} ${event.type}`),
    ['before allocation.created', 'after allocation.released'],
  );
});

t.test('a key that was revoked elsewhere makes and changes no webhook', async (t) => {
  const database = await openPostgres(t);
  const [a, b] = [requester(await makeApp(t, database, WITH_KEYS)), requester(await makeApp(t, database, WITH_KEYS))];
  const { body: webhook } = await a('POST', '/v1/webhooks', { url, projects: ['consilio'] }, ADMIN);
  for (const projects of [[], ['consilio']]) {
    const { id, key } = await makeKey(a, projects.length > 0 ? 'project' : 'admin', ...projects);
    t.equal((await b('GET', '/v1/webhooks', undefined, bearer(key))).status, 200, 'which b remembers for 5 s');
    await a('DELETE', `/v1/api-keys/${id}`, undefined, ADMIN);
    assertProblem(t, await b('POST', '/v1/webhooks', { url, projects: ['consilio'] }, bearer(key)), 'unauthorized');
    const patched = await b('PATCH', `/v1/webhooks/${webhook.id}`, { url: 'http://localhost:2/' }, bearer(key));
    assertProblem(t, patched, 'unauthorized');
  }
  t.match((await a('GET', '/v1/webhooks', undefined, ADMIN)).body.items, [{ url }]);
});

t.test('the key that answers for a webhook', async (t) => {
  const database = await openPostgres(t);
  const request = requester(await makeApp(t, database, WITH_KEYS));
  const make = async (headers: Record<string, string>, projects: string[]) =>
    `/v1/webhooks/${(await request('POST', '/v1/webhooks', { url, projects }, headers)).body.id}`;
  const read = async (path: string) => (await request('GET', path, undefined, ADMIN)).body;

  t.test('goes on answering when what is on is switched on, or gets the URL that it has', async (t) => {
    const { id, key } = await makeKey(request, 'project', 'consilio');
    const path = await make(bearer(key), ['consilio']);
    await request('PATCH', path, { enabled: true, url }, ADMIN);
    const ofAdmin = await make(ADMIN, ['consilio']);
    await request('PATCH', ofAdmin, { enabled: true, url }, bearer(key));
    await request('DELETE', `/v1/api-keys/${id}`, undefined, ADMIN);
    t.match(await read(path), { enabled: false, disabledReason: 'The key that answers for it was revoked.' });
    t.match(await read(ofAdmin), { enabled: true });
  });

  t.test('may lose projects by SQL, and its webhooks of these are switched off then', async (t) => {
    const { id, key } = await makeKey(request, 'project', 'consilio', 'odin');
    const [both, odin] = [await make(bearer(key), ['consilio', 'odin']), await make(bearer(key), ['odin'])];
    await sql`update api_keys set projects = '{odin}' where id = ${id}`.execute(database.db);
    const disabledReason = 'The key that answers for it may not see all its projects any more.';
    t.match(await read(both), { enabled: false, disabledReason });
    t.match(await read(odin), { enabled: true });
  });

  t.test('goes on if it was of an admin, whose key is replaced', async (t) => {
    const { id, key } = await makeKey(request, 'admin');
    const path = await make(bearer(key), []);
    await request('DELETE', `/v1/api-keys/${id}`, undefined, ADMIN);
    t.match(await read(path), { enabled: true });
  });
});
