import { type Kysely, sql } from 'kysely';
import type { Access } from '../access/access.js';
import { readClock, statementTime } from '../database/clock.js';
import type { ReservationRow, Tables } from '../database/tables.js';
import * as refusals from '../refusals.js';
import type { Reservation, ReservationQuery } from '../schemas/reservation.js';
import { decodeCursor, isPort, isUuid, type Page, type PageRequest, toPage } from './pages.js';
import { visibleTo } from './visible.js';

/** How long an ended reservation can still be read. */
const ENDED_KEPT_DAYS = 7;

/** @throws AppError reservation-not-found */
export async function findReservation(db: Kysely<Tables>, access: Access, id: string): Promise<Reservation> {
  const row = await db
    .selectFrom('port_reservations')
    .selectAll()
    .select(statementTime.as('now'))
    .where('id', '=', id)
    .where(visibleTo(access))
    .executeTakeFirst();
  if (!row) throw refusals.reservationNotFound(id);
  return toReservation(row, row.now);
}

/** By port, then id; the active ones unless a status is asked for. */
export async function listReservations(
  db: Kysely<Tables>,
  access: Access,
  query: ReservationQuery & PageRequest,
): Promise<Page<Reservation>> {
  const { status = 'active', limit = 100, cursor, maxBytes } = query;
  const after = decodeCursor(cursor, isPort, isUuid);
  const now = await readClock(db);
  const rows = await db
    .selectFrom('port_reservations')
    .selectAll()
    .where(visibleTo(access))
    .$if(status === 'active', (q) => q.where('status', '=', 'active').where('expires_at', '>', now))
    .$if(status === 'expired', (q) =>
      q.where((where) =>
        where.or([where('status', '=', 'expired'), where('status', '=', 'active').and('expires_at', '<=', now)]),
      ),
    )
    .$if(status === 'claimed' || status === 'cancelled', (q) =>
      q.where('status', '=', status as ReservationRow['status']),
    )
    .$if(query.project !== undefined, (q) => q.where('project', '=', query.project as string))
    .$if(query.host !== undefined, (q) => q.where('host', '=', query.host as string))
    .$if(query.protocol !== undefined, (q) => q.where('protocol', '=', query.protocol as 'tcp' | 'udp'))
    .$if(query.port !== undefined, (q) => q.where('port', '=', query.port as number))
    .$if(after !== null, (q) => q.where(sql<boolean>`(port, id) > (${after?.[0]}::integer, ${after?.[1]}::uuid)`))
    .orderBy('port')
    .orderBy('id')
    .limit(limit + 1)
    .execute();
  return toPage(
    rows,
    { limit, maxBytes },
    (row) => toReservation(row, now),
    (row) => [row.port, row.id],
  );
}

/**
 * Marks up to `limit` reservations that have expired. It skips rows that somebody else has locked. The SQL function
 * cleanup_expired_reservations() does the same for people, without a limit.
 * @returns how many were marked
 */
export async function markExpired(db: Kysely<Tables>, limit: number): Promise<number> {
  const { numAffectedRows } = await sql`
    update port_reservations v set status = 'expired', ended_at = v.expires_at
    where v.id in (
      select due.id from port_reservations due
      where due.status = 'active' and due.expires_at <= statement_timestamp()
      order by due.expires_at limit ${limit} for update skip locked)`.execute(db);
  return Number(numAffectedRows ?? 0);
}

/**
 * Deletes up to `limit` reservations that ended more than 7 days ago. It skips rows that somebody else has locked.
 * @returns how many were deleted
 */
export async function deleteEnded(db: Kysely<Tables>, limit: number): Promise<number> {
  const { numAffectedRows } = await sql`
    delete from port_reservations
    where id in (
      select old.id from port_reservations old
      where old.ended_at <= statement_timestamp() - make_interval(days => ${ENDED_KEPT_DAYS})
      order by old.ended_at limit ${limit} for update skip locked)`.execute(db);
  return Number(numAffectedRows ?? 0);
}

/**
 * An expired reservation has the status `expired` on the wire, whether or not a sweep has marked its row. @param now
 * the database's clock
 */
export function toReservation(row: ReservationRow, now: Date): Reservation {
  const expired = row.status === 'active' && row.expires_at <= now;
  return {
    id: row.id,
    port: row.port,
    project: row.project,
    service: row.service,
    host: row.host,
    protocol: row.protocol,
    reservedBy: row.reserved_by,
    reason: row.reason,
    createdAt: row.created_at.toISOString(),
    expiresAt: row.expires_at.toISOString(),
    status: expired ? 'expired' : row.status,
    allocationId: row.allocation_id,
  };
}
