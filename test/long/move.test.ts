// Moving a registry from the embedded database to PostgreSQL. test/deploy/move-crash.test.ts runs the command itself,
// and kills it.
import { type Kysely, sql } from 'kysely';
import t, { type Test } from 'tap';
import { copyRegistry, listTables } from '../../src/database/move.js';
import type { Tables } from '../../src/database/tables.js';
import { findEventsAfter, findFeedBounds, moveNewEvents } from '../../src/repositories/events/events.js';
import { makeApp, requester } from '../helpers/app.js';
import { openEmbedded, openPostgres, silentLog } from '../helpers/database.js';
import { insertWebhook } from '../helpers/filled-project.js';

/**
 * Tables with every type of column that a copy as JSON could damage. No migration creates them, so they are copied only
 * if the copy finds the tables in the database instead of having a list.
 */
const LATER_TABLE = `create table aaa_later (
  id bigint generated always as identity primary key, allocation uuid references port_allocations, hash bytea,
  tags text[], amount numeric, twice numeric generated always as (amount * 2) stored, seen timestamptz, span interval)`;

const source = await openEmbedded(t);
const request = requester(await makeApp(t, source));
await fill();

async function fill(): Promise<void> {
  const post = async (url: string, body?: object, headers?: Record<string, string>) => {
    const answer = await request('POST', url, body, headers);
    if (answer.status > 201) throw new Error(answer.text);
    return answer.body;
  };
  const held = await post('/v1/projects/odin/allocations', { service: 'web' });
  await post(`/v1/allocations/${held.id}/health-checks`);
  const released = await post('/v1/projects/odin/allocations', { service: 'gone', environment: 'e' });
  await request('DELETE', `/v1/allocations/${released.id}`);
  await post('/v1/audits', { project: 'odin' });
  await post('/v1/projects/odin/allocations', { service: 'once' }, { 'idempotency-key': 'k' });
  const copy = '/v1/projects/odin/environments/copy';
  await request('PUT', copy, { services: [{ service: 'web' }], path: '/srv/copy' });
  await post('/v1/projects/odin/reservations', { ttlSeconds: 600 });
  const claimed = await post('/v1/projects/odin/reservations', { ttlSeconds: 600, service: 'claimed' });
  await post(`/v1/reservations/${claimed.id}/claim`);
  await sql`
    update port_allocations set description = ${'"quoted", \\ back-slashed\n\tand ünïcode 🚢'},
      metadata = '{"": 1.5e-300, "big": 123456789012345678901234567890.10, "nested": [{"null": null}, "\\u0001"]}'
    where id = ${held.id}`.execute(source.db);
  await request('PUT', '/v1/excluded-ports/3780', { reason: 'Our VPN client listens there' });
  await request('DELETE', '/v1/excluded-ports/6000');
  await sql`insert into kept_hostnames values ('www.example', 'odin', clock_timestamp())`.execute(source.db);
  await sql`insert into leases values ('audit', 'someone', clock_timestamp(), clock_timestamp())`.execute(source.db);
  await insertWebhook(source.db, 'odin', 'x');
  await sql`insert into cloudflare_hostnames values ('tunnel', 'www.example', '{http://localhost:3300}')`.execute(
    source.db,
  );
  await sql`insert into cloudflare_tunnels (tunnel_id, position) values ('tunnel', 7)`.execute(source.db);
  await moveNewEvents(source.db);
  await request('PUT', '/v1/excluded-ports/3781', { reason: 'Its event has no position yet' });
  await sql.raw(LATER_TABLE).execute(source.db);
  await sql`
    insert into aaa_later (allocation, hash, tags, amount, seen, span) values
      (${held.id}, '\\x00ff5c', '{"a,b",NULL,"\\"c\\"",""}', 1.10, '2026-01-01 00:00:00.123456+02', '1 mon 2.5 s'),
      (null, '', '{}', 'NaN', 'infinity', null)`.execute(source.db);
  await sql`
    do $$ begin
      if to_regclass('api_keys') is not null then
        insert into api_keys (name, role, projects, hash, created_by)
          values ('ci', 'project', '{odin}', decode(repeat('a1', 32), 'hex'), 'ADMIN_API_KEY');
      end if;
    end $$`.execute(source.db);
}

async function openTarget(t: Test): Promise<Kysely<Tables>> {
  const { db } = await openPostgres(t);
  await sql`delete from port_ranges`.execute(db);
  await sql`delete from new_events`.execute(db); // of the ranges
  await sql.raw(LATER_TABLE).execute(db);
  return db;
}

/** Everything in the tables, as text by PostgreSQL. */
async function readAll(db: Kysely<Tables>): Promise<Record<string, string[]>> {
  const content: Record<string, string[]> = {};
  for (const { name } of await listTables(db)) {
    const { rows } = await sql<{ row: string }>`select t::text as row from ${sql.table(name)} t`.execute(db);
    content[name] = rows.map(({ row }) => row).sort();
  }
  return content;
}

t.test('everything is copied as it is, whatever the type, and the source is as before', async (t) => {
  const target = await openTarget(t);
  for (const db of [source.db, target]) await sql`set timezone = 'UTC'`.execute(db); // for readAll
  const before = await readAll(source.db);
  const counts = await copyRegistry(source.db, target, silentLog);
  const after = await readAll(target);
  t.strictSame(after, before);
  t.strictSame(await readAll(source.db), before);
  for (const [table, rows] of Object.entries(before)) {
    t.ok(rows.length > 0, `${table} has rows in this test`);
    t.equal(counts[table], rows.length);
  }
});

t.test('tables are copied after those that they refer to, and the tables of Kysely are not copied', async (t) => {
  const names = (await listTables(source.db)).map(({ name }) => name);
  t.ok(names.indexOf('port_allocations') < names.indexOf('aaa_later'));
  t.ok(names.indexOf('port_allocations') < names.indexOf('port_health_checks'));
  t.notOk(names.some((name) => name.startsWith('kysely')));
});

t.test('the feed goes on where the source was, and copying makes no events', async (t) => {
  const target = await openTarget(t);
  await copyRegistry(source.db, target, silentLog);
  const waiting = (await target.selectFrom('new_events').select('id').orderBy('id', 'desc').execute()).length;
  const { last } = await findFeedBounds(source.db);
  await target.transaction().execute((trx) => sql`select allocate_port('odin', 'after-the-move')`.execute(trx));
  const moved = await moveNewEvents(target);
  t.equal(moved.last, last + waiting + 1, 'what waited there, and the event of the one change since');
  const [newest] = await findEventsAfter(target, moved.last - 1, 1, 'urn:test');
  t.match(newest?.event, { type: 'allocation.created', data: { allocation: { service: 'after-the-move' } } });
});

t.test('every sequence is the one of an identity, which copying advances', async (t) => {
  const { db } = await openPostgres(t);
  t.same((await sql`select sequencename from pg_sequences`.execute(db)).rows, [{ sequencename: 'new_events_id_seq' }]);
});

t.test('a target that holds anything is refused and left alone', async (t) => {
  const { db } = await openPostgres(t); // has the seven seed ranges
  await sql.raw(LATER_TABLE).execute(db);
  const before = await readAll(db);
  await t.rejects(copyRegistry(source.db, db, silentLog), {
    name: 'CommandRefused',
    message: /is not empty: it has rows in .*port_ranges\. Nothing was moved/,
  });
  t.strictSame(await readAll(db), before);
});

t.test('a target that somebody else is using is refused', async (t) => {
  const target = await openTarget(t);
  await target.transaction().execute(async (trx) => {
    await sql`select from port_ranges for update`.execute(trx);
    await t.rejects(copyRegistry(source.db, target, silentLog), { message: /Somebody works in the database/ });
  });
});

t.test('a copy that differs from the source is detected and rolled back', async (t) => {
  const target = await openTarget(t);
  await sql`create rule meddle as on insert to port_reservations do instead nothing`.execute(target);
  const before = await readAll(target);
  await t.rejects(copyRegistry(source.db, target, silentLog), { message: /^port_reservations has 2 rows .* nothing/ });
  t.strictSame(await readAll(target), before);
});

t.test('different migrations are refused, with what to do', async (t) => {
  const target = await openTarget(t);
  await sql`insert into port_allocator_migrations (name) values ('9999_future')`.execute(target);
  await t.rejects(copyRegistry(source.db, target, silentLog), { message: /Move with that newer version/ });
  const old = await openEmbedded(t);
  await sql`delete from port_allocator_migrations where name = '0005_reservations'`.execute(old.db);
  await t.rejects(copyRegistry(old.db, await openTarget(t), silentLog), {
    message: /made by an older version.*Run `npm run migrate` without DATABASE_URL/,
  });
});
