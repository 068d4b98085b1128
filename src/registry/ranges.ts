import type { Kysely, Transaction } from 'kysely';
import { lockRanges } from '../allocator/transaction.js';
import { toAppError } from '../database/errors.js';
import type { RangeRow, Tables } from '../database/tables.js';
import * as refusals from '../refusals.js';
import { findAnswer, type IdempotencyKey, insertAnswers, lockName } from '../repositories/idempotency-keys.js';
import {
  countTaken,
  deleteRangeRow,
  findFreeBlock,
  findRange,
  findRangeRow,
  insertRange,
  requireFreeBlock,
  updateRangeRow,
} from '../repositories/ranges.js';
import { type NewRange, RANGE_SIZE, type Range, type RangeChange } from '../schemas/range.js';
import type { Session } from './session.js';

/** The queue of creations, and the name of their advisory lock. It is no project's name. */
const CREATIONS = 'port_ranges: creations';
/** How often to search for a free block when somebody at a `psql` prompt inserts a range there each time. */
const MAX_SEARCHES = 3;

interface CreationOptions {
  reuseCooldownSeconds: number;
  idempotency: IdempotencyKey | null;
}

/**
 * Creates a range at `startPort`, or in the lowest free block.
 *
 * Creations wait for one another through an advisory lock that nothing else takes, so that two callers who leave the
 * port out get two blocks. The exclusion constraint holds whatever else happens.
 * @throws AppError range-overlap, no-free-block, idempotency-key-reused, forbidden
 */
export function createRange(
  session: Session,
  range: NewRange,
  options: CreationOptions,
): Promise<{ range: Range; replayed: boolean }> {
  const create = async (db: Kysely<Tables>) => {
    for (let search = 1; ; search++) {
      try {
        return await insertOnce(db, session, range, options);
      } catch (error) {
        const isOvertaken = range.startPort === undefined && toAppError(error)?.code === 'range-overlap';
        if (!isOvertaken || search === MAX_SEARCHES) throw error;
      }
    }
  };
  return session.change('ranges', create, { queue: CREATIONS });
}

function insertOnce(db: Kysely<Tables>, { access }: Session, range: NewRange, options: CreationOptions) {
  const { idempotency, reuseCooldownSeconds } = options;
  return db.transaction().execute(async (trx) => {
    await lockName(trx, CREATIONS);
    const answer = idempotency && (await findAnswer(trx, range.project, idempotency));
    if (answer) return { range: answer as Range, replayed: true };
    const kind = range.kind ?? 'project';
    const startPort = range.startPort ?? (await findFreeBlock(trx, RANGE_SIZE[kind]));
    const endPort = startPort + RANGE_SIZE[kind] - 1;
    if (range.startPort !== undefined) await requireFreeBlock(trx, startPort, endPort);
    await insertRange(trx, {
      start_port: startPort,
      end_port: endPort,
      project: range.project,
      kind,
      description: range.description ?? null,
      reuse_cooldown_seconds: reuseCooldownSeconds,
    });
    const created = await findRange(trx, access, startPort);
    if (idempotency) await insertAnswers(trx, range.project, [{ ...idempotency, response: created }]);
    return { range: created, replayed: false };
  });
}

/** @throws AppError range-not-found, forbidden */
export function updateRange(session: Session, startPort: number, change: RangeChange): Promise<Range> {
  return changeRange(session, startPort, async (trx, range) => {
    await updateRangeRow(trx, startPort, {
      description: change.description === undefined ? range.description : change.description,
      reuse_cooldown_seconds: change.reuseCooldownSeconds ?? range.reuse_cooldown_seconds,
    });
    return findRange(trx, session.access, startPort);
  });
}

/**
 * Removes a range in which nothing is held, on any host and protocol. Its history stays.
 * @throws AppError range-not-found, range-in-use, forbidden
 */
export function deleteRange(session: Session, startPort: number): Promise<void> {
  return changeRange(session, startPort, async (trx, range) => {
    const { allocated, reserved } = await countTaken(trx, range);
    if (allocated + reserved > 0) throw refusals.rangeInUse(range, allocated, reserved);
    await deleteRangeRow(trx, startPort);
  });
}

/** Changes a range under the lock of all ranges of its project. Changes of one project's ranges wait in one queue. */
async function changeRange<T>(
  session: Session,
  startPort: number,
  change: (trx: Transaction<Tables>, range: RangeRow) => Promise<T>,
): Promise<T> {
  session.access.requireChange('ranges');
  const { project } = await session.readUnfiltered(findRangeRow, startPort);
  const work = (db: Kysely<Tables>) =>
    db.transaction().execute(async (trx) => {
      // A range may have been deleted and created anew for another project while this change waited for its turn.
      await lockRanges(trx, (await findRangeRow(trx, startPort)).project);
      return change(trx, await findRangeRow(trx, startPort));
    });
  return session.change('ranges', work, { queue: project });
}
