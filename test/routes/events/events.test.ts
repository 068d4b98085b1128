import { setTimeout as sleep } from 'node:timers/promises';
import { sql, type Transaction } from 'kysely';
import t, { type Test } from 'tap';
import type { Tables } from '../../../src/database/tables.js';
import { runRetention } from '../../../src/services/retention.js';
import { databases, openPostgres } from '../../helpers/database.js';
import { readStream, serveFeed, take } from '../../helpers/events.js';
import { ADMIN, bearer, makeKey, WITH_KEYS } from '../../helpers/keys.js';

/** The default, in milliseconds. */
const LOCK_TIMEOUT_MS = 5000;
const PUT = (service: string) => ['PUT', `/v1/projects/consilio/services/${service}`] as const;

for (const [name, open] of databases) {
  t.test(`on ${name} a caller lists what it has just done, page after page`, async (t: Test) => {
    const { request } = await serveFeed(t, await open(t));
    for (const service of ['a', 'b', 'c']) await request(...PUT(service));
    const created = '/v1/events?type=allocation.created';
    const all = (await request('GET', created)).body;
    t.match(
      all.items.map(({ data }: { data: { allocation: { service: string } } }) => data.allocation.service),
      ['a', 'b', 'c'],
    );
    t.equal(all.nextCursor, null);
    const first = await request('GET', `${created}&limit=2`);
    t.equal(first.body.nextCursor, first.body.items[1].id);
    t.match(first.headers.link, /<\/v1\/events\?type=allocation\.created&limit=2&cursor=\d+>; rel="next"/);
    const next = await request('GET', `${created}&limit=2&cursor=${first.body.nextCursor}`);
    const { lastEventId } = all;
    t.strictSame(next.body, { items: [all.items[2]], nextCursor: null, lastEventId });
    const end = await request('GET', `${created}&cursor=${all.items[2].id}`);
    t.strictSame(end.body, { items: [], nextCursor: null, lastEventId }, 'a poller goes on behind the last event');
    const { time } = all.items[1];
    const since = (await request('GET', `${created}&since=${time}`)).body.items;
    t.strictSame(
      since,
      all.items.filter((event: { time: string }) => event.time >= time),
    );
    t.match((await request('GET', '/v1/events?project=odin&type=allocation.created')).body, { items: [] });
  });

  t.test(`on ${name} a stream goes on as events come, and resumes where it ended`, async (t: Test) => {
    const { request, url } = await serveFeed(t, await open(t));
    await request(...PUT('before'));
    const stream = readStream(`${url}/v1/events`);
    const opened = await stream.next();
    t.match(opened.value, { id: /^\d+$/, data: '' }, 'it begins with its place in the feed');
    await request(...PUT('a'));
    const [a] = await take(stream, 1);
    t.match(a, { type: 'allocation.created', project: 'consilio', data: { allocation: { service: 'a' } } });
    await stream.return(undefined);
    await request(...PUT('b'));
    await request('DELETE', '/v1/projects/consilio/services/b');
    const resumed = readStream(`${url}/v1/events?cursor=1`, { 'last-event-id': a?.id ?? '' });
    const types = (await take(resumed, 2)).map(({ type }) => type);
    t.strictSame(types, ['allocation.created', 'allocation.released'], 'the header counts more than the cursor');
    await resumed.return(undefined);
    const [again] = await take(readStream(`${url}/v1/events?since=${a?.time}&type=allocation.created`), 1);
    t.equal(again?.id, a?.id);
  });
}

t.test('what cannot be read is refused, with what to do', async (t) => {
  const database = await openPostgres(t);
  const { request, url } = await serveFeed(t, database);
  await request(...PUT('a'));
  const { items } = (await request('GET', '/v1/events')).body;
  const last = Number(items.at(-1).id);
  const refused = async (query: string, status: number, detail: RegExp, headers = {}) =>
    t.match((await request('GET', `/v1/events${query}`, undefined, headers)).body, { status, detail });
  const stream = { accept: 'text/event-stream' };
  await refused('?type=allocation.created,port.made', 400, /no type port\.made\. The types are allocation\.created, /);
  await refused('?cursor=x', 400, /no id of an event/);
  for (const headers of [{}, stream])
    await refused(`?cursor=${last + 1}`, 400, /no event \d+ yet: the newest is/, headers);
  await refused('', 400, /no event 999999 yet/, { ...stream, 'last-event-id': '999999' });

  await sql`update events set time = time - interval '10 days', latest_time = latest_time - interval '10 days' where position < ${last}`.execute(
    database.db,
  );
  const kept = { healthCheckRetentionDays: 7, historyRetentionDays: null, eventRetentionDays: 4 };
  t.match(await runRetention(database.db, kept), { events: last - 1 });
  for (const headers of [{}, stream])
    await refused(`?cursor=${last - 2}`, 410, /were deleted because of their age/, headers);
  t.match((await request('GET', `/v1/events?cursor=${last - 1}`)).body, { items: [{ id: `${last}` }] });
  t.match((await request('GET', '/v1/events')).body, { items: [{ id: `${last}` }] });
  t.match(await take(readStream(`${url}/v1/events?cursor=${last - 1}`), 1), [{ id: `${last}` }]);
  t.equal((await request('HEAD', '/v1/events', undefined, stream)).status, 200);
});

t.test('the event of a slow transaction stands behind later ones, and is found and kept like them', async (t) => {
  const database = await openPostgres(t);
  const { request, service, url } = await serveFeed(t, database);
  await request(...PUT('before'));
  await service.feed.moveNew();
  const daysAgo = (days: number) => new Date(Date.now() - days * 86_400_000).toISOString();
  await sql`update events set time = ${daysAgo(9)}, latest_time = ${daysAgo(9)}`.execute(database.db);
  const times = [daysAgo(3), daysAgo(8), daysAgo(1)];
  for (const [i, time] of times.entries()) {
    await sql`
      insert into new_events (type, subject, time, actor, data)
      values ('range.changed', ${`ranges/${i}`}, ${time}, current_actor(), '{}')`.execute(database.db);
  }
  const since = async (days: number) => {
    const { items } = (await request('GET', `/v1/events?type=range.changed&since=${daysAgo(days)}`)).body;
    return items.map(({ subject }: { subject: string }) => subject);
  };
  t.strictSame(await since(8.5), ['ranges/0', 'ranges/1', 'ranges/2']);
  t.strictSame(await since(2.5), ['ranges/2']);
  t.strictSame(await since(3.5), ['ranges/0', 'ranges/2'], 'not what happened before');
  t.strictSame(await since(0.5), []);
  const [first] = await take(readStream(`${url}/v1/events?since=${daysAgo(3.5)}`), 1);
  t.equal(first?.subject, 'ranges/0');
  const kept = { healthCheckRetentionDays: 7, historyRetentionDays: null, eventRetentionDays: 7 };
  await runRetention(database.db, kept);
  t.strictSame(await since(8.5), ['ranges/0', 'ranges/1', 'ranges/2'], 'no gap behind what is kept');
  const left = (await request('GET', '/v1/events')).body.items;
  t.equal(left[0].subject, 'ranges/0');
});

t.test('a key sees the events of its projects, in a running stream too, and none when it is revoked', async (t) => {
  const { request, url } = await serveFeed(t, await openPostgres(t), WITH_KEYS);
  const own = await makeKey(request, 'project', 'odin');
  const reader = await makeKey(request, 'reader');
  const streams = {
    own: readStream(`${url}/v1/events`, bearer(own.key)),
    reader: readStream(`${url}/v1/events`, bearer(reader.key)),
    admin: readStream(`${url}/v1/events?type=api-key.revoked`, ADMIN),
  };
  for (const stream of Object.values(streams)) await stream.next();
  await request(...PUT('a'), undefined, ADMIN);
  await request('PUT', '/v1/projects/odin/services/b', undefined, ADMIN);
  t.match(await take(streams.own, 1), [{ project: 'odin' }]);
  t.match(await take(streams.reader, 2), [{ project: 'consilio' }, { project: 'odin' }]);
  for (const { id } of [own, reader]) await request('DELETE', `/v1/api-keys/${id}`, undefined, ADMIN);
  await request('PUT', '/v1/projects/odin/services/late', undefined, ADMIN);
  for (const stream of [streams.own, streams.reader]) {
    const began = Date.now();
    const rest = [];
    for await (const block of stream) rest.push(block);
    t.match(rest, [{ event: 'problem', data: /"code":"unauthorized"/ }], 'nothing that came after the revocation');
    t.ok(Date.now() - began < 5000);
  }
  t.match(await take(streams.admin, 2), [{ subject: `api-keys/${own.id}` }, { subject: `api-keys/${reader.id}` }]);
  const listed = (await request('GET', '/v1/events?type=api-key.created', undefined, ADMIN)).body.items;
  t.equal(listed.length, 2);
});

t.test('the stream of a key that gets other projects in the database ends, and its reader sees those', async (t) => {
  const database = await openPostgres(t);
  const { request, url } = await serveFeed(t, database, WITH_KEYS);
  const { key, id } = await makeKey(request, 'project', 'consilio', 'odin');
  const stream = readStream(`${url}/v1/events`, bearer(key));
  await stream.next();
  await database.db
    .updateTable('api_keys')
    .set({ projects: ['consilio'] })
    .where('id', '=', id)
    .execute();
  const began = Date.now();
  for await (const block of stream) t.equal(block.event, '', 'it ends without a word');
  t.ok(Date.now() - began < 9000);
  const again = readStream(`${url}/v1/events`, bearer(key));
  await again.next();
  await request('PUT', '/v1/projects/odin/services/hidden', undefined, ADMIN);
  await request(...PUT('shown'), undefined, ADMIN);
  t.match(await take(again, 1), [{ project: 'consilio' }]);
});

t.test('whoever polls for what hardly ever happens misses nothing, and is not told so', async (t) => {
  const database = await openPostgres(t);
  const { request } = await serveFeed(t, database);
  const poll = async (cursor: string) =>
    (await request('GET', `/v1/events?type=api-key.revoked${cursor && `&cursor=${cursor}`}`)).body;
  await request(...PUT('a'));
  const first = await poll('');
  t.match(first, { items: [], nextCursor: null, lastEventId: /^[1-9]/ });
  await request(...PUT('b'));
  await request('GET', '/v1/events');
  await sql`
    update events set time = time - interval '10 days', latest_time = latest_time - interval '10 days'
    where position <= ${first.lastEventId}`.execute(database.db);
  await runRetention(database.db, { healthCheckRetentionDays: 7, historyRetentionDays: null, eventRetentionDays: 4 });
  const second = await poll(first.lastEventId);
  t.match(second, { items: [] });
  t.ok(Number(second.lastEventId) > Number(first.lastEventId));
  const page = (await request('GET', `/v1/events?cursor=${first.lastEventId}&limit=1`)).body;
  t.match(page, { lastEventId: page.items[0].id });
});

t.test('while somebody holds the feed, a call says so, and not that a project is busy', async (t) => {
  const database = await openPostgres(t);
  const { request } = await serveFeed(t, database);
  await request('GET', '/v1/events');
  const hold = async (trx: Transaction<Tables>) => {
    await sql`select * from event_feed for update`.execute(trx);
    const began = performance.now();
    await request(...PUT('a'));
    const first = request('GET', '/v1/events');
    await sleep(2000);
    const second = request('GET', '/v1/events');
    for (const { status, body } of await Promise.all([first, second])) {
      t.equal(status, 503);
      t.match(body, { code: 'overloaded', detail: /held the change feed .*Nothing is lost; try again/ });
    }
    t.ok(
      performance.now() - began < 2 * LOCK_TIMEOUT_MS,
      'the second does not wait once more when the first is refused',
    );
  };
  await database.withoutLimits((own) => own.transaction().execute(hold));
  t.match((await request('GET', '/v1/events?type=allocation.created')).body.items, [{ type: 'allocation.created' }]);
});

t.test('an event is the same in a list and in a stream', async (t) => {
  const { request, url } = await serveFeed(t, await openPostgres(t), WITH_KEYS);
  const send = (method: 'PUT' | 'POST' | 'PATCH' | 'DELETE', path: string, body?: object) =>
    request(method, `/v1/${path}`, body, ADMIN);
  await send('PUT', 'projects/consilio/services/a', { description: 'x', metadata: { a: 1 } });
  await send('PUT', 'projects/consilio/services/a', { description: 'y' });
  const { id } = (await send('POST', 'projects/consilio/reservations', { ttlSeconds: 60, service: 'b' })).body;
  await send('POST', `reservations/${id}/claim`);
  const other = (await send('POST', 'projects/consilio/reservations', { ttlSeconds: 60 })).body.id;
  await send('PATCH', `reservations/${other}`, { ttlSeconds: 90 });
  await send('DELETE', `reservations/${other}`);
  await send('PUT', 'projects/consilio/environments/e', { services: [{ service: 'c' }], expiresAfterSeconds: 7200 });
  await send('DELETE', 'projects/consilio/environments/e');
  await send('POST', 'ranges', { project: 'consilio', startPort: 20000 });
  await send('PATCH', 'ranges/20000', { reuseCooldownSeconds: 60 });
  await send('DELETE', 'ranges/20000');
  await send('PUT', 'excluded-ports/3120', { reason: 'x' });
  await send('POST', 'audits', { project: 'consilio' });
  const key = (await send('POST', 'api-keys', { name: 'x', role: 'reader' })).body.id;
  await send('DELETE', `api-keys/${key}`);
  await send('POST', 'webhooks', { url: 'http://localhost:1/' });
  const { items } = (await request('GET', '/v1/events?limit=1000', undefined, ADMIN)).body;
  t.ok(new Set(items.map(({ type }: { type: string }) => type)).size >= 16, 'events of most types');
  t.strictSame(await take(readStream(`${url}/v1/events?cursor=0`, ADMIN), items.length), items);
});

t.test('a process that stops ends its streams, and counts them while they are open', async (t) => {
  const { url, close, metrics } = await serveFeed(t, await openPostgres(t));
  const stream = readStream(`${url}/v1/events`);
  await stream.next();
  t.match(await metrics.render(null), /port_allocator_event_streams 1/);
  const began = Date.now();
  await close();
  t.ok(Date.now() - began < 2000);
  t.match(await stream.next(), { done: true });
  t.match(await metrics.render(null), /port_allocator_event_streams 0/);
});

t.test('a stream whose own events are far back goes through them, and on', async (t) => {
  const database = await openPostgres(t);
  const { request, url } = await serveFeed(t, database);
  await request(...PUT('first'));
  await sql`select record_event('range.changed', 'odin', 'ranges/' || i, current_actor(), '{}') from generate_series(1, 2500) i`.execute(
    database.db,
  );
  await request('GET', '/v1/events?limit=1');
  const stream = readStream(`${url}/v1/events?cursor=0`);
  const ids = (await take(stream, 2500)).map(({ id }) => Number(id));
  t.strictSame(
    ids,
    ids.map((_, i) => i + 1),
  );
  const sparse = readStream(`${url}/v1/events?cursor=0&project=consilio&type=allocation.created,allocation.released`);
  t.match(await take(sparse, 1), [{ data: { allocation: { service: 'first' } } }]);
  await request(...PUT('last'));
  t.match(await take(sparse, 1), [{ data: { allocation: { service: 'last' } } }]);
});
