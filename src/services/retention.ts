import type { Kysely, Transaction } from 'kysely';
import { SERVICE } from '../access/actor.js';
import type { Config } from '../config.js';
import { actingAs } from '../database/actors.js';
import type { Tables } from '../database/tables.js';
import { deleteOldDeliveries } from '../repositories/events/deliveries.js';
import { deleteEnded, markExpired } from '../repositories/reservations.js';
import {
  deleteAllocations,
  deleteHealthChecksOf,
  deleteOldAudits,
  deleteOldEvents,
  deleteOldHealthChecks,
  findOldHistory,
} from '../repositories/retention.js';

/** How many rows one statement changes at most. With few rows it holds its locks only for a short time. */
const RETENTION_BATCH = 1000;
const RESERVATIONS_BATCH = 500;
/** For how long deliveries to webhooks are kept, unless their events are deleted earlier. */
const DELIVERY_RETENTION_DAYS = 30;
/** Fewer, because the conflicts of one audit may take hundreds of pages of the database. */
const AUDITS_BATCH = 100;

export type RetentionConfig = Pick<Config, 'healthCheckRetentionDays' | 'historyRetentionDays' | 'eventRetentionDays'>;

/**
 * Deletes the health checks, the audits, the deliveries to webhooks, the events and the released allocations that are older
 * than the configuration says. Each batch is a transaction of its own, so that whatever was deleted before an error
 * stays deleted.
 * @returns how many of each were deleted
 */
export async function runRetention(
  db: Kysely<Tables>,
  {
    healthCheckRetentionDays: checkDays,
    historyRetentionDays: historyDays,
    eventRetentionDays: eventDays,
  }: RetentionConfig,
  signal?: AbortSignal,
): Promise<{ healthChecks: number; audits: number; deliveries: number; events: number; allocations: number }> {
  const deleteChecks = (limit: number) => inTransaction(db, (trx) => deleteOldHealthChecks(trx, checkDays, limit));
  let healthChecks = await repeatInBatches(deleteChecks, RETENTION_BATCH, signal);
  const deleteAudits = (limit: number) => inTransaction(db, (trx) => deleteOldAudits(trx, checkDays, limit));
  const audits = await repeatInBatches(deleteAudits, AUDITS_BATCH, signal);
  const deleteDeliveries = (limit: number) =>
    inTransaction(db, (trx) => deleteOldDeliveries(trx, DELIVERY_RETENTION_DAYS, limit));
  const deliveries = await repeatInBatches(deleteDeliveries, RETENTION_BATCH, signal);
  const deleteEvents = (limit: number) => inTransaction(db, (trx) => deleteOldEvents(trx, eventDays, limit));
  const events = await repeatInBatches(deleteEvents, RETENTION_BATCH, signal);
  if (historyDays === null) return { healthChecks, audits, deliveries, events, allocations: 0 };
  const deleteHistory = async (limit: number) => {
    const ids = await inTransaction(db, (trx) => findOldHistory(trx, historyDays, limit));
    if (ids.length === 0) return 0;
    healthChecks += await deleteAllHealthChecksOf(db, ids, signal);
    return inTransaction(db, (trx) => deleteAllocations(trx, ids));
  };
  const allocations = await repeatInBatches(deleteHistory, RETENTION_BATCH, signal);
  return { healthChecks, audits, deliveries, events, allocations };
}

/**
 * Deletes the health checks of allocations before the allocations themselves. To delete an allocation deletes its checks
 * too, but in the same statement: with 1000 allocations these may be millions, more than a statement has time for.
 * @returns how many were deleted
 */
async function deleteAllHealthChecksOf(
  db: Kysely<Tables>,
  allocationIds: readonly string[],
  signal: AbortSignal | undefined,
): Promise<number> {
  let rest = allocationIds;
  const deleteBatch = async (limit: number) => {
    const deleted = await inTransaction(db, (trx) => deleteHealthChecksOf(trx, rest, limit));
    const touched = new Set(deleted);
    // The checks of all allocations before the last one that was touched are gone. They are not searched again.
    rest = rest.slice(
      Math.max(
        0,
        rest.findLastIndex((id) => touched.has(id)),
      ),
    );
    return deleted.length;
  };
  return repeatInBatches(deleteBatch, RETENTION_BATCH, signal);
}

/**
 * Marks reservations that have expired, and deletes those that ended more than 7 days ago.
 * @returns how many were marked, and how many deleted
 */
export async function sweepReservations(
  db: Kysely<Tables>,
  signal?: AbortSignal,
): Promise<{ expired: number; deleted: number }> {
  const mark = (limit: number) => inTransaction(db, (trx) => markExpired(trx, limit));
  const remove = (limit: number) => inTransaction(db, (trx) => deleteEnded(trx, limit));
  return {
    expired: await repeatInBatches(mark, RESERVATIONS_BATCH, signal),
    deleted: await repeatInBatches(remove, RESERVATIONS_BATCH, signal),
  };
}

/**
 * The time limits for locks and statements are set by a transaction. Outside of one, a statement that takes too long is
 * given up here while the database goes on with it.
 */
function inTransaction<T>(db: Kysely<Tables>, work: (trx: Transaction<Tables>) => Promise<T>): Promise<T> {
  return actingAs(db, SERVICE, work);
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
