import { type Kysely, sql, type Transaction } from 'kysely';
import type { Access } from '../access/access.js';
import { readClock } from '../database/clock.js';
import type { Tables } from '../database/tables.js';
import type { Space } from '../keys.js';
import type { Port } from '../schemas/port.js';
import { toAllocation } from './allocations.js';
import { findRange } from './ranges.js';
import { toReservation } from './reservations.js';

/**
 * Whose a number is in one port space. A number that is in no range is `unmanaged`. Of a number in another project's
 * range a caller learns that project's name, and whether the number is taken (`allocated`, also where it is reserved)
 * or `free`.
 *
 * The statements see one moment (REPEATABLE READ, which is safe here because nothing is locked), so that the state and
 * the counts of the range agree.
 */
export function describePort(db: Kysely<Tables>, access: Access, port: number, space: Space): Promise<Port> {
  return db.transaction().execute(async (trx) => {
    await sql`set transaction isolation level repeatable read, read only`.execute(trx);
    return describeIn(trx, access, port, space);
  });
}

async function describeIn(db: Transaction<Tables>, access: Access, port: number, space: Space): Promise<Port> {
  const { host, protocol } = space;
  const covering = await db
    .selectFrom('port_ranges')
    .select(['start_port', 'project'])
    .where('start_port', '<=', port)
    .where('end_port', '>=', port)
    .executeTakeFirst();
  if (!covering) {
    return { port, host, protocol, state: 'unmanaged', range: null, allocation: null, reservation: null };
  }
  const range = await findRange(db, access, covering.start_port, space);
  if (!access.sees(covering.project)) {
    const state = (await isTaken(db, port, space)) ? 'allocated' : 'free';
    return { port, host, protocol, state, range, allocation: null, reservation: null };
  }
  const allocation = await db
    .selectFrom('port_allocations')
    .selectAll()
    .where('released_at', 'is', null)
    .where('host', '=', host)
    .where('protocol', '=', protocol)
    .where('port', '=', port)
    .executeTakeFirst();
  const reservation = await db
    .selectFrom('port_reservations')
    .selectAll()
    .where('status', '=', 'active')
    .where('expires_at', '>', sql<Date>`clock_timestamp()`)
    .where('host', '=', host)
    .where('protocol', '=', protocol)
    .where('port', '=', port)
    .executeTakeFirst();
  return {
    port,
    host,
    protocol,
    state: await readState(db, covering.start_port, port, space),
    range,
    allocation: allocation ? toAllocation(allocation) : null,
    reservation: reservation ? toReservation(reservation, await readClock(db)) : null,
  };
}

async function isTaken(db: Transaction<Tables>, port: number, { host, protocol }: Space): Promise<boolean> {
  const { rows } = await sql`
    select from taken_ports where host = ${host} and protocol = ${protocol} and port = ${port}`.execute(db);
  return rows.length > 0;
}

/** The state of a port in a range. It comes from what the counts are made of, so that the two agree. */
async function readState(
  db: Transaction<Tables>,
  rangeStart: number,
  port: number,
  { host, protocol }: Space,
): Promise<Port['state']> {
  const { rows } = await sql<{ state: Port['state'] | null }>`
    select coalesce(
      (select state from taken_ports where host = ${host} and protocol = ${protocol} and port = ${port}),
      (select 'cooling' from cooling_ports(${rangeStart}, ${host}, ${protocol}) c where c.port = ${port})
    ) as state`.execute(db);
  return rows[0]?.state ?? 'free';
}
