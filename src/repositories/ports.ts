import { type Kysely, sql, type Transaction } from 'kysely';
import type { Tables } from '../database/tables.js';
import type { Port } from '../schemas/port.js';
import { readClock } from './clock.js';
import type { Space } from './commands.js';
import { findRange } from './ranges.js';
import { toAllocation, toReservation } from './rows.js';

/**
 * Who owns a number in one port space. A number that no range covers is `unmanaged`.
 *
 * The statements share one snapshot (it locks nothing, so REPEATABLE READ is safe here): an answer never
 * says `free` beside counts from after an allocation.
 */
export function describePort(db: Kysely<Tables>, port: number, space: Space): Promise<Port> {
  return db.transaction().execute(async (trx) => {
    await sql`set transaction isolation level repeatable read, read only`.execute(trx);
    return lookAtPort(trx, port, space);
  });
}

async function lookAtPort(db: Transaction<Tables>, port: number, space: Space): Promise<Port> {
  const { host, protocol } = space;
  const covering = await db
    .selectFrom('port_ranges')
    .select('start_port')
    .where('start_port', '<=', port)
    .where('end_port', '>=', port)
    .executeTakeFirst();
  if (!covering) {
    return { port, host, protocol, state: 'unmanaged', range: null, allocation: null, reservation: null };
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
  const { rows: cooling } = await sql`
    select from cooling_ports(${covering.start_port}, ${host}, ${protocol}) c where c.port = ${port}`.execute(db);
  return {
    port,
    host,
    protocol,
    state: stateOf(allocation?.status, reservation !== undefined, cooling.length > 0),
    range: await findRange(db, covering.start_port, space),
    allocation: allocation ? toAllocation(allocation) : null,
    reservation: reservation ? toReservation(reservation, await readClock(db)) : null,
  };
}

function stateOf(status: string | undefined, reserved: boolean, cooling: boolean): Port['state'] {
  if (status === 'in_use' || status === 'allocated') return status;
  if (reserved) return 'reserved';
  return cooling ? 'cooling' : 'free';
}
