// The change feed when it is large: what it reads, how long it takes, and how much memory a reader takes.
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { sql } from 'kysely';
import t from 'tap';
import { openPostgres } from '../helpers/database.js';
import { serveFeed } from '../helpers/events.js';

const MIB = 1024 * 1024;
t.setTimeout(240_000);

t.test('a pass stays fast after 200,000 events that nobody has vacuumed away', async (t) => {
  const database = await openPostgres(t);
  const { service } = await serveFeed(t, database);
  const { db } = database;
  await sql`alter table new_events set (autovacuum_enabled = false)`.execute(db);
  await database.withoutLimits((own) =>
    sql`select count(record_event('range.changed', 'odin', 'ranges/' || i, current_actor(), '{}'))
        from generate_series(1, 200000) i`.execute(own),
  );
  await service.feed.moveNew();
  const passes = async () => {
    const times: number[] = [];
    for (let i = 0; i < 20; i++) {
      await sql`select record_event('range.changed', 'odin', 'ranges/1', current_actor(), '{}')`.execute(db);
      const began = performance.now();
      await service.feed.moveNew();
      times.push(performance.now() - began);
    }
    return times.sort((a, b) => a - b)[10] as number;
  };
  const median = await passes();
  t.comment(`${median.toFixed(1)} ms`);
  t.ok(median < 150, `a pass takes ${median.toFixed(1)} ms`);
});

t.test('lists read no table from end to end among 1,000,000 events', async (t) => {
  const database = await openPostgres(t);
  const { db } = database;
  await database.withoutLimits(async (own) => {
    await sql`delete from new_events`.execute(own);
    await sql`
      insert into events (position, type, project, subject, time, latest_time, actor, data)
      select i, case when i % 1000 = 0 then 'service.down' else 'allocation.updated' end,
             case when i % 5000 = 1 then 'odin' else 'consilio' end, 'allocations/' || i,
             t, t, '{"kind":"sql","keyId":null,"name":"x","client":null}', '{}'
      from generate_series(1, 1000000) i
      cross join lateral (select statement_timestamp() - make_interval(secs => 1000000 - i) as t) counted`.execute(own);
    await sql`update event_feed set last_position = 1000000`.execute(own);
    await sql`analyze events`.execute(own);
  });
  const { request } = await serveFeed(t, database);
  const sequential = async () =>
    (
      await sql<{
        rows: string;
      }>`select seq_tup_read as rows from pg_stat_user_tables where relname = 'events'`.execute(db)
    ).rows[0]?.rows;
  const before = await sequential();
  const weekAgo = new Date(Date.now() - 7 * 86_400_000).toISOString();
  for (const query of [
    '',
    'cursor=999000',
    'type=service.down',
    'type=service.down,allocation.released&cursor=500000',
    'type=audit.finished',
    'project=odin',
    'project=odin&type=service.down',
    'project=consilio&type=service.down',
    `since=${weekAgo}`,
    `since=${weekAgo}&project=odin`,
    'since=2020-01-01T00:00:00Z',
    'since=2020-01-01T00:00:00Z&project=odin',
  ]) {
    const began = performance.now();
    t.equal((await request('GET', `/v1/events?${query}`)).status, 200);
    const took = performance.now() - began;
    t.comment(`${took.toFixed(0)} ms: ${query}`);
    t.ok(took < 3000, `${query} takes ${took.toFixed(0)} ms`);
  }
  await sleep(1500); // until the backends have reported their counts
  t.equal(await sequential(), before);
  const { rows } = await sql<{ entries: string }>`
    select idx_tup_read as entries from pg_stat_user_indexes where indexrelname = 'events_by_time'`.execute(db);
  const entries = Number(rows[0]?.entries);
  t.ok(entries < 20, `${entries} index entries: where a time begins is one look into the index`);
});

t.test(
  'a reader that never reads takes little memory, whatever happens, and delays no process that stops',
  async (t) => {
    const database = await openPostgres(t);
    const { app, url, service, close } = await serveFeed(t, database);
    const sockets: Socket[] = [];
    app.server.on('connection', (socket) => sockets.push(socket));
    const { port } = new URL(url);
    const client = connect(Number(port), '127.0.0.1');
    t.teardown(() => client.destroy());
    client.pause();
    client.write('GET /v1/events HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n');
    await sleep(300);
    const used = () => process.memoryUsage().heapUsed + process.memoryUsage().external;
    const before = used();
    let most = 0;
    let unread = 0;
    for (let i = 0; i < 50; i++) {
      await sql`
      select count(record_event('range.changed', 'odin', 'ranges/1', current_actor(), jsonb_build_object('range', repeat('x', 10000))))
      from generate_series(1, 105)`.execute(database.db);
      await service.feed.moveNew();
      await sleep(30);
      most = Math.max(most, used() - before);
      unread = Math.max(unread, ...sockets.map(({ writableLength }) => writableLength));
    }
    t.comment(`${(most / MIB).toFixed(1)} MiB more, ${unread} bytes unread`);
    t.ok(unread < 100_000, `${unread} bytes are unread`);
    t.ok(most < 40 * MIB, `${(most / MIB).toFixed(1)} MiB more than before`);
    const began = Date.now();
    await close();
    const took = Date.now() - began;
    t.ok(took < 2000, `the process stops within ${took} ms`);
  },
);
