import type { Kysely } from 'kysely';
import type { Config } from '../config.js';
import type { Tables } from '../database/tables.js';
import { deleteEnded, markExpired } from '../repositories/reservations.js';
import { deleteOldHealthChecks, deleteOldHistory } from '../repositories/retention.js';

/** How many rows one statement changes at most. With few rows it holds its locks only for a short time. */
const RETENTION_BATCH = 1000;
const RESERVATIONS_BATCH = 500;

export type RetentionConfig = Pick<Config, 'healthCheckRetentionDays' | 'historyRetentionDays'>;

/**
 * Deletes the health checks and the released allocations that are older than the configuration says.
 * @returns how many of each were deleted
 */
export async function runRetention(
  db: Kysely<Tables>,
  { healthCheckRetentionDays: checkDays, historyRetentionDays: historyDays }: RetentionConfig,
  signal?: AbortSignal,
): Promise<{ healthChecks: number; allocations: number }> {
  const deleteChecks = (limit: number) => deleteOldHealthChecks(db, checkDays, limit);
  const healthChecks = await repeatInBatches(deleteChecks, RETENTION_BATCH, signal);
  if (historyDays === null) return { healthChecks, allocations: 0 };
  const deleteHistory = (limit: number) => deleteOldHistory(db, historyDays, limit);
  return { healthChecks, allocations: await repeatInBatches(deleteHistory, RETENTION_BATCH, signal) };
}

/**
 * Marks reservations that have expired, and deletes those that ended more than 7 days ago.
 * @returns how many were marked, and how many deleted
 */
export async function sweepReservations(
  db: Kysely<Tables>,
  signal?: AbortSignal,
): Promise<{ expired: number; deleted: number }> {
  return {
    expired: await repeatInBatches((limit) => markExpired(db, limit), RESERVATIONS_BATCH, signal),
    deleted: await repeatInBatches((limit) => deleteEnded(db, limit), RESERVATIONS_BATCH, signal),
  };
}

/**
 * Repeats a statement that changes at most `limit` rows, until it finds fewer than that.
 * @param signal ends the repetition between two statements
 * @returns how many rows were changed in all
 */
async function repeatInBatches(
  changeBatch: (limit: number) => Promise<number>,
  limit: number,
  signal: AbortSignal | undefined,
): Promise<number> {
  let total = 0;
  for (;;) {
    signal?.throwIfAborted();
    const changed = await changeBatch(limit);
    total += changed;
    if (changed < limit) return total;
  }
}
