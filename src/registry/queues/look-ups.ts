import type { Kysely } from 'kysely';
import { toAppError } from '../../database/errors.js';
import type { AllocationRow, Tables } from '../../database/tables.js';
import type { AllocationKey } from '../../keys.js';
import type { Observer } from '../../observer.js';
import * as refusals from '../../refusals.js';
import { findAllocationsById, findLowestHeld } from '../../repositories/allocations.js';
import { MAX_WAITING } from '../limits.js';
import { Batcher, QueueFullError } from './batcher.js';

const MAX_LOOK_UPS = 256;
const QUERIES_UNDER_WAY = 2;

type Found = PromiseSettledResult<AllocationRow | null>;

/**
 * Look-ups without a lock. Those that arrive at the same time share one query. None joins a query that has been sent
 * already: it would miss a release that was acknowledged in between.
 */
export class LookUps {
  readonly #byKey: Batcher<AllocationKey, Found>;
  readonly #byId: Batcher<string, Found>;

  /** @param maxBatch 1 gives each look-up a query of its own, for comparison */
  constructor(db: Kysely<Tables>, observer: Observer, maxBatch: number) {
    const options = {
      onBatch: (size: number, waited: number) => observer.batched('look-ups', size, waited),
      maxBatch: Math.min(MAX_LOOK_UPS, maxBatch),
      maxQueue: MAX_WAITING,
      concurrency: maxBatch === 1 ? Number.POSITIVE_INFINITY : QUERIES_UNDER_WAY,
    };
    this.#byKey = new Batcher({ execute: (_, keys) => findEach(keys, (some) => findLowestHeld(db, some)), ...options });
    this.#byId = new Batcher({
      execute: (_, ids) => findEach(ids, (some) => findAllocationsById(db, some)),
      ...options,
    });
  }

  /** The allocation of the lowest port that the key holds. */
  findHeld(key: AllocationKey): Promise<AllocationRow | null> {
    return this.#byKey.submit('', key).then(unwrap, refuseLookUp);
  }

  /** The allocation of an id, active or released. */
  findById(id: string): Promise<AllocationRow | null> {
    return this.#byId.submit('', id).then(unwrap, refuseLookUp);
  }
}

/**
 * One query for all. After an unexpected error one query for each, so that the look-up at fault is alone with its
 * error.
 */
async function findEach<T>(
  wanted: readonly T[],
  find: (wanted: readonly T[]) => Promise<(AllocationRow | null)[]>,
): Promise<Found[]> {
  try {
    return (await find(wanted)).map((value) => ({ status: 'fulfilled', value }));
  } catch (error) {
    if (wanted.length === 1 || toAppError(error)) throw error;
    return Promise.allSettled(wanted.map(async (one) => (await find([one]))[0] ?? null));
  }
}

function unwrap(found: Found): AllocationRow | null {
  if (found.status === 'rejected') throw found.reason;
  return found.value;
}

function refuseLookUp(error: unknown): never {
  throw error instanceof QueueFullError ? refusals.tooManyLookUpsWait() : error;
}
