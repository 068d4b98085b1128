import { sql } from 'kysely';
import { type Test, test } from 'tap';
import type { Database } from '../../src/database/connect.js';
import { findEventsAfter, moveNewEvents } from '../../src/repositories/events/events.js';
import { eventTypes } from '../../src/schemas/events/event-types.js';
import { openEmbedded, openPostgres } from '../helpers/database.js';

/** The types and subjects of the events that `statement` makes. */
async function eventsOf({ db }: Database, statement: string): Promise<string[]> {
  const { last } = await moveNewEvents(db);
  await db.transaction().execute((trx) => sql.raw(statement).execute(trx));
  await moveNewEvents(db);
  return (await findEventsAfter(db, last, 100, 'urn:test')).map(
    ({ event }) => `${event.type} ${event.data.actor.kind}`,
  );
}

for (const [name, open] of Object.entries({ PostgreSQL: openPostgres, embedded: openEmbedded })) {
  test(`whatever is changed at a psql prompt of the ${name} database is in the feed`, async (t: Test) => {
    const database = await open(t);
    const eventsAre = async (statement: string, ...expected: string[]) =>
      t.strictSame(
        await eventsOf(database, statement),
        expected.map((type) => `${type} sql`),
        statement,
      );

    await eventsAre("select allocate_port('consilio', 'web')", 'allocation.created');
    await eventsAre("update port_allocations set description = 'x'", 'allocation.updated');
    await eventsAre("update port_allocations set description = 'x'");
    await eventsAre(
      "update active_port_allocations set service_type = 'http', status = 'in_use'",
      'allocation.updated',
      'service.up',
    );
    await eventsAre("update active_port_allocations set status = 'allocated'", 'service.down');
    await eventsAre('select release_port(3100)', 'allocation.released');
    await eventsAre('delete from port_allocations');
    await eventsAre(
      "insert into active_port_allocations (port, project, service) values (3100, 'consilio', 'web')",
      'allocation.created',
    );
    await eventsAre('delete from active_port_allocations', 'allocation.released');
    await eventsAre(
      "insert into port_reservations (port, project, expires_at) values (3105, 'consilio', clock_timestamp())",
      'reservation.created',
    );
    await eventsAre('update port_reservations set expires_at = clock_timestamp()', 'reservation.renewed');
    await eventsAre("update port_reservations set expires_at = 'infinity'", 'reservation.renewed');
    await eventsAre('update port_reservations set expires_at = clock_timestamp()', 'reservation.renewed');
    await eventsAre('select cleanup_expired_reservations()', 'reservation.expired');
    await eventsAre('delete from port_reservations');
    await eventsAre("insert into port_ranges values (20000, 20099, 'new')", 'range.created');
    await eventsAre("update port_ranges set description = 'x' where start_port = 20000", 'range.changed');
    await eventsAre('delete from port_ranges where start_port = 20000', 'range.deleted');
    await eventsAre('update port_ranges set end_port = end_port');
    await eventsAre("insert into excluded_ports values (3999, 'x')", 'excluded-port.added');
    await eventsAre(
      "insert into api_keys (name, role, hash, created_by) values ('x', 'reader', sha256('x'), 'me')",
      'api-key.created',
    );
    await eventsAre("update api_keys set role = 'admin'", 'api-key.changed');
    await eventsAre('update api_keys set last_used_at = now()');
    await eventsAre('delete from api_keys', 'api-key.revoked');
    await eventsAre(
      "insert into environments (project, environment, expires_after_seconds, on_expiry, used_at) values ('consilio', 'x', 3600, 'tell', now())",
      'environment.changed',
    );
    await eventsAre("update environments set on_expiry = 'release'", 'environment.changed');
    await eventsAre('update environments set used_at = now()');
  });
}

test('what would make the feed unreadable is refused', async (t: Test) => {
  const { db } = await openPostgres(t);
  await sql`select allocate_port('consilio', 'web')`.execute(db);
  for (const statement of [
    "update port_allocations set released_by = '[]'",
    `update port_allocations set allocated_by = '{"kind":"odd","keyId":null,"name":null,"client":null}'`,
    `select set_config('port_allocator.actors', '{"":{"keyId":null,"name":null,"client":null}}', true),
            release_port(3100)`,
    `insert into new_events (type, subject, time, actor, data)
     values ('range.created', 's', 'infinity', current_actor(), '{}')`,
    "select record_event('no.type', null, 's', current_actor(), '{}')",
    "select record_event('range.created', null, 's', '5', '{}')",
    "select record_event('range.created', null, 's', current_actor(), '[]')",
    'update port_allocations set id = gen_random_uuid()',
  ]) {
    await t.rejects(sql.raw(statement).execute(db), { code: /^(23514|PA004)$/ }, statement);
  }
});

test('the database knows the types of the contract', async (t: Test) => {
  const { db } = await openPostgres(t);
  for (const type of eventTypes) {
    await sql`select record_event(${type}, null, 'x', current_actor(), '{}')`.execute(db);
  }
  await moveNewEvents(db);
  const events = await findEventsAfter(db, 0, 1000, 'urn:test');
  t.same(new Set(events.map(({ event }) => event.type)), new Set(eventTypes));
});
