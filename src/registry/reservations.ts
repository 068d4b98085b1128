import { spaceOf } from '../keys.js';
import type { IdempotencyKey } from '../repositories/idempotency-keys.js';
import { findReservation } from '../repositories/reservations.js';
import type { Allocation } from '../schemas/allocation.js';
import type { NewReservation, Reservation, ReservationClaim } from '../schemas/reservation.js';
import type { Session } from './session.js';

/**
 * Reserves the lowest free port, or `port`, until `ttlSeconds` from now.
 * @throws AppError project-not-found, range-exhausted, port-taken, port-outside-range, limit-reached,
 * idempotency-key-reused
 */
export function reserve(
  session: Session,
  project: string,
  { ttlSeconds, port, service, host, protocol, reservedBy, reason }: NewReservation,
  idempotency: IdempotencyKey | null,
): Promise<{ reservation: Reservation; replayed: boolean }> {
  return session.execute(project, {
    kind: 'reserve',
    ...spaceOf({ host, protocol }),
    port: port ?? null,
    service: service ?? null,
    ttlSeconds,
    reservedBy: reservedBy ?? null,
    reason: reason ?? null,
    idempotency,
  });
}

/**
 * Turns a reservation into an allocation of the same port. However many callers race, they get one allocation, and a
 * caller that asks again later gets it too.
 * @throws AppError reservation-not-found, reservation-expired, reservation-ended, limit-reached; port-taken while the
 * port cools down for another service; validation-failed where no service is named, or another host or protocol
 */
export async function claimReservation(
  session: Session,
  id: string,
  { service, environment, host, protocol, ...details }: ReservationClaim,
  idempotency: IdempotencyKey | null,
): Promise<{ allocation: Allocation; created: boolean; replayed: boolean }> {
  const reservation = await session.read(findReservation, id);
  // One that was claimed already takes no port any more: the claim is answered with the allocation.
  if (reservation.status !== 'claimed') session.access.requireNames({ hosts: [reservation.host] });
  return session.execute(reservation.project, {
    kind: 'claim-reservation',
    reservationId: id,
    service: service ?? null,
    environment: environment ?? 'default',
    space: { ...(host !== undefined && { host }), ...(protocol !== undefined && { protocol }) },
    details,
    idempotency,
  });
}

/** Repeatable: a reservation that has ended, in whatever way, is answered as it is. */
export async function cancelReservation(session: Session, id: string): Promise<Reservation> {
  const reservation = await session.read(findReservation, id);
  if (reservation.status !== 'active') return reservation;
  return session.execute(reservation.project, { kind: 'cancel-reservation', reservationId: id });
}

/** @throws AppError reservation-not-found, reservation-expired, reservation-ended */
export async function renewReservation(session: Session, id: string, ttlSeconds: number): Promise<Reservation> {
  const { project, host } = await session.read(findReservation, id);
  session.access.requireNames({ hosts: [host] });
  return session.execute(project, { kind: 'renew-reservation', reservationId: id, ttlSeconds });
}
