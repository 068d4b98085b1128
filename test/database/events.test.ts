import { sql } from 'kysely';
import { type Test, test } from 'tap';
import type { Database } from '../../src/database/connect.js';
import { findEventsAfter, moveNewEvents } from '../../src/repositories/events/events.js';
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
    await eventsAre("insert into excluded_ports values (3999, 'x')", 'excluded-port.added');
  });
}
