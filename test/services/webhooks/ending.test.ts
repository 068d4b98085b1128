// What is pending when a webhook is switched off, of which there may be more than one statement has time for.
import { sql } from 'kysely';
import t from 'tap';
import { makeApp, requester } from '../../helpers/app.js';
import { openPostgres } from '../../helpers/database.js';
import { ADMIN, bearer, makeKey, WITH_KEYS } from '../../helpers/keys.js';
import { startReceiver } from '../../helpers/receiver.js';
import { QUICK, sendWebhooks, untilDeliveries } from '../../helpers/webhooks.js';

/** More than what is ended at once. */
const PENDING = 5000;

t.test('a key is revoked whatever is pending, and none of that is sent, also not afterwards', async (t) => {
  const database = await openPostgres(t);
  const { db } = database;
  const request = requester(await makeApp(t, database, WITH_KEYS));
  const receiver = await startReceiver(t);
  const { id: keyId, key } = await makeKey(request, 'project', 'consilio');
  const wanted = { url: receiver.url, projects: ['consilio'], types: ['allocation.created'] };
  const { body: webhook } = await request('POST', '/v1/webhooks', wanted, bearer(key));
  receiver.secret = webhook.secret;
  await sql`
    with made as (
      insert into events (position, type, project, subject, time, latest_time, actor, data)
      select i, 'allocation.created', 'consilio', 'allocations/' || i, now(), now(), current_actor(), '{"allocation": {}}'
      from generate_series(1000, ${999 + PENDING}::integer) i returning position
    )
    insert into webhook_deliveries (webhook_id, position, type, project)
    select ${webhook.id}, position, 'allocation.created', 'consilio' from made`.execute(db);
  await sql`update event_feed set last_position = ${999 + PENDING}`.execute(db);

  const begin = performance.now();
  t.equal((await request('DELETE', `/v1/api-keys/${keyId}`, undefined, ADMIN)).status, 204);
  t.comment(`revoked in ${Math.round(performance.now() - begin)} ms`);
  const path = `/v1/webhooks/${webhook.id}`;
  t.match((await request('GET', path, undefined, ADMIN)).body, { enabled: false });
  await untilDeliveries(db, 'pending', PENDING);
  t.match((await request('PATCH', path, { enabled: true }, ADMIN)).body, { enabled: true });
  const { items } = (await request('GET', `${path}/deliveries?limit=1`, undefined, ADMIN)).body;
  await request('POST', `${path}/deliveries/${items[0].id}/repeat`, undefined, ADMIN);

  const { stop } = sendWebhooks(t, database);
  await request('PUT', '/v1/projects/consilio/services/seen', undefined, ADMIN);
  await untilDeliveries(db, 'delivered', 2, 60_000);
  t.same(
    receiver.received.map(({ event }) => event.subject.replace(/.*-.*/, 'seen')),
    [`allocations/${999 + PENDING}`, 'seen'],
    'what was repeated by hand, and what happened since',
  );
  const failed = await untilDeliveries(db, 'failed', PENDING - 1, 60_000);
  t.same([...new Set(failed.map(({ error }) => error))], ['The webhook was switched off.']);
  t.comment(`ended in ${Math.round(performance.now() - begin)} ms`);
  await stop();
});

t.test('also where no other webhook is switched on, what was pending is ended', async (t) => {
  const database = await openPostgres(t);
  const request = requester(await makeApp(t, database));
  const receiver = await startReceiver(t, (_request, response) => response.writeHead(500).end());
  const { body: webhook } = await request('POST', '/v1/webhooks', { url: receiver.url, types: ['allocation.created'] });
  receiver.secret = webhook.secret;
  const first = sendWebhooks(t, database, { backoff: { waitsMs: [60_000], giveUpMs: 600_000 } });
  for (const service of ['a', 'b']) await request('PUT', `/v1/projects/consilio/services/${service}`);
  await receiver.has(1);
  await untilDeliveries(database.db, 'pending', 2);
  await first.stop();
  await request('PATCH', `/v1/webhooks/${webhook.id}`, { enabled: false });
  sendWebhooks(t, database);
  const failed = await untilDeliveries(database.db, 'failed', 2);
  t.match(failed[0]?.error, 'The receiver answered 500. The webhook was switched off.');
  t.equal(receiver.received.length, 1);
});

t.test('what fails for too long is given up with all that is as old, in batches', async (t) => {
  const database = await openPostgres(t);
  const { db } = database;
  const request = requester(await makeApp(t, database));
  const receiver = await startReceiver(t, (_request, response) => response.writeHead(500).end());
  const { body: webhook } = await request('POST', '/v1/webhooks', { url: receiver.url, types: ['allocation.created'] });
  receiver.secret = webhook.secret;
  await sql`
    insert into events (position, type, project, subject, time, latest_time, actor, data)
    values (1000, 'allocation.created', 'consilio', 'allocations/1', now(), now(), current_actor(), '{"allocation": {}}')`.execute(
    db,
  );
  await sql`
    insert into webhook_deliveries (webhook_id, position, type, project, queued_at)
    select ${webhook.id}, i, 'allocation.created', 'consilio', now() - interval '1 hour'
    from generate_series(1000, ${999 + PENDING}::integer) i`.execute(db);
  sendWebhooks(t, database, { ...QUICK, backoff: { waitsMs: [20], giveUpMs: 1_800_000 } });
  const failed = await untilDeliveries(db, 'failed', PENDING, 60_000);
  t.match(
    [failed[0]?.error, failed.at(-1)?.error],
    ['The receiver answered 500.', 'It was not sent, because those before it failed until it was too old.'],
  );
  t.equal(receiver.received.length, 1);
});

t.test('what is pending of projects that were taken from a webhook is not sent, also not to its new URL', async (t) => {
  const database = await openPostgres(t);
  const { db } = database;
  const request = requester(await makeApp(t, database));
  const [before, after] = [await startReceiver(t, () => {}), await startReceiver(t)];
  const { body: webhook } = await request('POST', '/v1/webhooks', { url: before.url, types: ['allocation.created'] });
  before.secret = webhook.secret;
  after.secret = webhook.secret;
  const patch = (change: object) => request('PATCH', `/v1/webhooks/${webhook.id}`, change);
  sendWebhooks(t, database, { attemptTimeoutMs: 1500 });
  for (const project of ['odin', 'consilio']) {
    for (const service of ['a', 'b']) await request('PUT', `/v1/projects/${project}/services/${service}`);
  }
  await before.has(2);
  await patch({ projects: ['consilio'] });
  await patch({ url: after.url });
  await untilDeliveries(db, 'delivered', 2);
  const failed = await untilDeliveries(db, 'failed', 2);
  t.match(
    failed.map(({ project, error }) => `${project}: ${error}`),
    [/^odin: .*The webhook gets no events of this project any more\.$/, /^odin: The webhook gets no/],
  );
  t.match(
    after.received.map(({ event }) => event.project),
    ['consilio', 'consilio'],
  );
});
