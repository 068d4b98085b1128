import type { Transaction } from 'kysely';
import type { Allowances } from '../allocator/limits/allowances.js';
import type { Tables } from '../database/tables.js';
import * as refusals from '../refusals.js';
import { countAnswers, NO_PROJECT } from '../repositories/idempotency-keys.js';
import { AbandonedError, QueueFullError } from './queues/batcher.js';

/** The most requests that may wait in one queue. At 5,000 commands a second that is less than a second. */
export const MAX_WAITING = 4096;

/**
 * How many queries with large answers run at a time. The others wait for their turn without a database connection, so
 * that connections stay free for everybody else, and the rows of only a few are in memory.
 */
export const LARGE_READS = 2;

/** @throws AppError for a change that was not executed, because its queue was full or its caller had left */
export function refuseUnexecuted(error: unknown): never {
  if (error instanceof AbandonedError) throw refusals.callerGaveUp();
  throw error instanceof QueueFullError ? refusals.tooManyCallsWait() : error;
}

/**
 * Refuses another idempotency key in the transaction of a change that is no command. (Of commands, it is checked when
 * they are decided.)
 * @param caller whose keys count, for a change that concerns several projects
 * @throws AppError limit-reached
 */
export async function requireRoomForAnswer(
  trx: Transaction<Tables>,
  allowances: Allowances,
  project: string,
  caller?: string,
): Promise<void> {
  const limit = allowances.limits.idempotencyKeys;
  const name = caller === undefined ? project : `caller ${caller}`;
  let room = allowances.take('idempotencyKeys', name, 1);
  if (room === null) {
    const { rows } = await countAnswers(project, limit, caller).execute(trx);
    room = allowances.counted('idempotencyKeys', name, rows[0]?.count ?? 0, 1);
  }
  if (room === 0) throw refusals.limitReached('idempotencyKeys', limit, project === NO_PROJECT ? null : project);
}
