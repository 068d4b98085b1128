import type { Transaction } from 'kysely';
import { CREATIONS, type FirstRange, insertFirstRange, insertNewRange, lockCreations } from '../allocator/new-range.js';
import { lockRanges } from '../allocator/transaction.js';
import { toAppError } from '../database/errors.js';
import type { RangeRow, Tables } from '../database/tables.js';
import { spaceOf } from '../keys.js';
import * as refusals from '../refusals.js';
import { findAnswer, type IdempotencyKey, insertAnswers } from '../repositories/idempotency-keys.js';
import { summarizeProject } from '../repositories/projects.js';
import {
  countTaken,
  deleteRangeRow,
  findRange,
  findRangeRow,
  hasRange,
  updateRangeRow,
} from '../repositories/ranges.js';
import type { NewRange, ProjectSummary, Range, RangeChange } from '../schemas/range.js';
import type { Session } from './session.js';

/** How often to search for a free block when somebody at a `psql` prompt inserts a range there each time. */
const MAX_SEARCHES = 3;

interface CreationOptions extends FirstRange {
  idempotency: IdempotencyKey | null;
}

/**
 * Creates a range at `startPort`, or in the lowest free block.
 * @throws AppError range-overlap, no-free-block, idempotency-key-reused, forbidden
 */
export function createRange(
  session: Session,
  range: NewRange,
  options: CreationOptions,
): Promise<{ range: Range; replayed: boolean }> {
  const { idempotency } = options;
  const create = async (trx: Transaction<Tables>) => {
    await lockCreations(trx);
    const answer = idempotency && (await findAnswer(trx, range.project, idempotency));
    if (answer) return { range: answer as Range, replayed: true };
    const created = await findRange(trx, session.access, await insertNewRange(trx, range, options));
    if (idempotency) await insertAnswers(trx, range.project, [{ ...idempotency, response: created }]);
    return { range: created, replayed: false };
  };
  return session.change('ranges', create, { queue: CREATIONS, repeat: (once) => searchAgain(range.startPort, once) });
}

/**
 * Gives the project its first range, if it has none. However many callers race for one project, they make one range.
 * @throws AppError range-overlap, no-free-block, forbidden
 */
export async function ensureProject(
  session: Session,
  range: NewRange,
  options: FirstRange,
): Promise<{ summary: ProjectSummary; created: boolean }> {
  const { project, startPort } = range;
  session.access.requireChange('ranges');
  if (await session.readUnfiltered(hasRange, project)) {
    return { summary: await session.read(summarizeProject, project, spaceOf({})), created: false };
  }
  const create = async (trx: Transaction<Tables>) => {
    const created = await insertFirstRange(trx, range, options);
    return { summary: await summarizeProject(trx, session.access, project, spaceOf({})), created };
  };
  return session.change('ranges', create, { queue: CREATIONS, repeat: (once) => searchAgain(startPort, once) });
}

/** Repeats a creation whose free block was taken meanwhile by somebody at a `psql` prompt, who takes no lock. */
async function searchAgain<T>(startPort: number | undefined, create: () => Promise<T>): Promise<T> {
  for (let search = 1; ; search++) {
    try {
      return await create();
    } catch (error) {
      const isOvertaken = startPort === undefined && toAppError(error)?.code === 'range-overlap';
      if (!isOvertaken || search === MAX_SEARCHES) throw error;
    }
  }
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
  const work = async (trx: Transaction<Tables>) => {
    // A range may have been deleted and created anew for another project while this change waited for its turn.
    await lockRanges(trx, (await findRangeRow(trx, startPort)).project);
    return change(trx, await findRangeRow(trx, startPort));
  };
  return session.change('ranges', work, { queue: project });
}
