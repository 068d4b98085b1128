import { type Kysely, sql } from 'kysely';
import type { IsAbandoned } from '../batcher.js';
import type { ReservationRow, Tables } from '../database/tables.js';
import * as refusals from '../refusals.js';
import type { Allocation } from '../schemas/allocation.js';
import type { NewReservation, Reservation, ReservationClaim, ReservationQuery } from '../schemas/reservation.js';
import { readClock } from './clock.js';
import type { IdempotencyClaim } from './commands.js';
import { decodeCursor, isPort, isUuid, type Page, toPage } from './pages.js';
import { toReservation } from './rows.js';
import type { Store } from './store.js';

/** How long an ended reservation can still be read. */
const ENDED_KEPT_DAYS = 7;

/**
 * Holds the lowest free port, or `port`, until `ttlSeconds` from now.
 * @throws AppError project-not-found, range-exhausted, port-taken, port-outside-range, idempotency-key-reused
 */
export function reserve(
  store: Store,
  project: string,
  { ttlSeconds, port, service, host, protocol, reservedBy, reason }: NewReservation,
  idempotency: IdempotencyClaim | null,
  isAbandoned?: IsAbandoned,
): Promise<{ reservation: Reservation; replayed: boolean }> {
  return store.execute(
    project,
    {
      kind: 'reserve',
      host: host ?? 'localhost',
      protocol: protocol ?? 'tcp',
      port: port ?? null,
      service: service ?? null,
      ttlSeconds,
      reservedBy: reservedBy ?? null,
      reason: reason ?? null,
      idempotency,
    },
    isAbandoned,
  );
}

/**
 * Turns a reservation into an allocation of the same port. However many callers race, they get one
 * allocation, and so does who asks again later.
 * @throws AppError reservation-not-found, reservation-expired, reservation-ended, port-taken while it cools
 * down for another service, validation-failed without a service or for another host or protocol
 */
export async function claimReservation(
  store: Store,
  id: string,
  { service, environment, host, protocol, ...details }: ReservationClaim,
  idempotency: IdempotencyClaim | null,
  isAbandoned?: IsAbandoned,
): Promise<{ allocation: Allocation; created: boolean; replayed: boolean }> {
  const { project } = await findReservation(store, id);
  return store.execute(
    project,
    {
      kind: 'claim',
      reservationId: id,
      service: service ?? null,
      environment: environment ?? 'default',
      space: { ...(host !== undefined && { host }), ...(protocol !== undefined && { protocol }) },
      details,
      idempotency,
    },
    isAbandoned,
  );
}

/** Repeatable: one that has ended, in whatever way, is answered as it is. */
export async function cancelReservation(store: Store, id: string, isAbandoned?: IsAbandoned): Promise<Reservation> {
  const reservation = await findReservation(store, id);
  if (reservation.status !== 'active') return reservation;
  return store.execute(reservation.project, { kind: 'cancel', reservationId: id }, isAbandoned);
}

/** @throws AppError reservation-not-found, reservation-expired, reservation-ended */
export async function renewReservation(
  store: Store,
  id: string,
  ttlSeconds: number,
  isAbandoned?: IsAbandoned,
): Promise<Reservation> {
  const { project } = await findReservation(store, id);
  return store.execute(project, { kind: 'renew', reservationId: id, ttlSeconds }, isAbandoned);
}

/** @throws AppError reservation-not-found */
export async function findReservation({ db, access: { projects } }: Store, id: string): Promise<Reservation> {
  const row = await db
    .selectFrom('port_reservations')
    .selectAll()
    .where('id', '=', id)
    .$if(projects !== null, (q) => q.where('project', 'in', projects ?? []))
    .executeTakeFirst();
  if (!row) throw refusals.reservationNotFound(id);
  return toReservation(row, await readClock(db));
}

/** By port, then id; the active ones unless a status is asked for. */
export async function listReservations(
  { db, access: { projects } }: Store,
  query: ReservationQuery,
): Promise<Page<Reservation>> {
  const { status = 'active', limit = 100, cursor } = query;
  const after = decodeCursor(cursor, isPort, isUuid);
  const now = await readClock(db);
  const rows = await db
    .selectFrom('port_reservations')
    .selectAll()
    .$if(projects !== null, (q) => q.where('project', 'in', projects ?? []))
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
    limit,
    (row) => toReservation(row, now),
    (row) => [row.port, row.id],
  );
}

/**
 * Marks what has expired, at most `limit` of them. Rows that someone else is at work on are left to them. The SQL
 * function cleanup_expired_reservations() says the same for people, who want all marked by one call and may wait.
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
 * Deletes what ended more than 7 days ago, at most `limit` of them, and leaves alone what someone else is at.
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
