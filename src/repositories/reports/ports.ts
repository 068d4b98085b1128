import { type Kysely, sql, type Transaction } from 'kysely';
import type { Access } from '../../access/access.js';
import { statementTime } from '../../database/clock.js';
import type { RangeRow, Tables } from '../../database/tables.js';
import type { Space } from '../../keys.js';
import { rangeNotFound } from '../../refusals.js';
import type { Port } from '../../schemas/port.js';
import { toAllocation } from '../allocations.js';
import { toExcludedPort } from '../excluded-ports.js';
import { type CountsRow, toRange } from '../ranges.js';
import { toReservation } from '../reservations.js';

/**
 * Whose a number is in one port space. A number that is in no range is `unmanaged`. Of a number in another project's
 * range a caller learns that project's name, and whether the number is taken (`allocated`, also where it is reserved)
 * or `free`. Whether and why a number is excluded is for everybody.
 *
 * The statements see the rows of one moment (REPEATABLE READ, which is safe here because nothing is locked), and
 * whether a reservation has expired is judged by one reading of the clock. So the state, the reservation and the counts
 * of the range agree.
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
  const exclusion = await db.selectFrom('excluded_ports').selectAll().where('port', '=', port).executeTakeFirst();
  const excluded = exclusion ? toExcludedPort(exclusion) : null;
  const place = { port, host, protocol, excluded, allocation: null, reservation: null, listener: null };
  if (!covering) return { ...place, state: 'unmanaged', range: null };
  const { now, state, ...row } = await readRangeAndState(db, covering.start_port, port, space);
  const range = toRange(row);
  if (!access.sees(covering.project)) {
    const isFree = state === 'free' || state === 'cooling' || state === 'excluded';
    return { ...place, state: isFree ? 'free' : 'allocated', range: { ...range, description: null } };
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
    .where('expires_at', '>', now)
    .where('host', '=', host)
    .where('protocol', '=', protocol)
    .where('port', '=', port)
    .executeTakeFirst();
  return {
    ...place,
    state,
    range,
    allocation: allocation ? toAllocation({ ...allocation, is_excluded: excluded !== null }) : null,
    reservation: reservation ? toReservation(reservation, now) : null,
  };
}

/**
 * A range with its counts, and the state of one of its ports, which comes from what the counts are made of. One
 * statement, because `taken_ports` compares with the time at which its statement began.
 * @returns in `now` that time
 */
async function readRangeAndState(
  db: Transaction<Tables>,
  startPort: number,
  port: number,
  { host, protocol }: Space,
): Promise<RangeRow & CountsRow & { state: Port['state']; now: Date }> {
  const { rows } = await sql<RangeRow & CountsRow & { state: Port['state']; now: Date }>`
    select r.*, c.*, ${statementTime} as now, coalesce(
      (select state from taken_ports where host = ${host} and protocol = ${protocol} and port = ${port}),
      (select 'excluded' from excluded_ports where port = ${port}),
      (select 'cooling' from cooling_ports(${startPort}, ${host}, ${protocol}, ${statementTime}) c where c.port = ${port}),
      'free') as state
    from port_ranges r join range_counts(${host}, ${protocol}) c using (start_port)
    where r.start_port = ${startPort}`.execute(db);
  if (!rows[0]) throw rangeNotFound(startPort);
  return rows[0];
}
