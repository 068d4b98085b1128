import type { Kysely } from 'kysely';
import type { Tables } from '../database/tables.js';
import { deleteEnded, markExpired } from '../repositories/reservations.js';

const BATCH_SIZE = 500;

/**
 * One pass: marks reservations that have expired, and deletes those that ended more than 7 days ago, in small
 * statements that pass over rows someone else is at work on.
 */
export async function sweepReservations(
  db: Kysely<Tables>,
  signal?: AbortSignal,
): Promise<{ expired: number; deleted: number }> {
  return {
    expired: await untilNoneIsLeft(() => markExpired(db, BATCH_SIZE), signal),
    deleted: await untilNoneIsLeft(() => deleteEnded(db, BATCH_SIZE), signal),
  };
}

async function untilNoneIsLeft(sweep: () => Promise<number>, signal: AbortSignal | undefined): Promise<number> {
  let total = 0;
  for (;;) {
    signal?.throwIfAborted();
    const swept = await sweep();
    total += swept;
    if (swept < BATCH_SIZE) return total;
  }
}
