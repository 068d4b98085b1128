import { sql } from 'kysely';
import t, { type Test } from 'tap';
import { runRetention } from '../../../src/services/retention.js';
import { databases, openPostgres } from '../../helpers/database.js';
import { readStream, serveFeed, take } from '../../helpers/events.js';
import { ADMIN, bearer, makeKey, WITH_KEYS } from '../../helpers/keys.js';

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
    t.strictSame(next.body, { items: [all.items[2]], nextCursor: null });
    const end = await request('GET', `${created}&cursor=${all.items[2].id}`);
    t.strictSame(end.body, { items: [], nextCursor: null }, 'a poller goes on behind the last event');
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
