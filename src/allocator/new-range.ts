// Creating a range: of an existing project, or the first one of a project, within a transaction.
import type { Transaction } from 'kysely';
import type { Tables } from '../database/tables.js';
import { lockName } from '../repositories/idempotency-keys.js';
import { findFreeBlock, hasRange, insertRange, requireFreeBlock } from '../repositories/ranges.js';
import { type NewRange, RANGE_SIZE } from '../schemas/range.js';

/** The first range of a project, which a command may give the project if it has none. */
export interface FirstRange {
  reuseCooldownSeconds: number;
}

/** The name of the advisory lock of all creations, and of their queue in each process. It is no project's name. */
export const CREATIONS = 'port_ranges: creations';

/**
 * Waits until nobody else creates a range, until the transaction ends. So two callers who leave the start port out get
 * two blocks, and those who race to create one project make one range. Nothing else takes this lock, and whoever holds
 * it waits for no other, so it cannot deadlock.
 */
export function lockCreations(trx: Transaction<Tables>): Promise<void> {
  return lockName(trx, CREATIONS);
}

/**
 * Inserts a range at `startPort`, or in the lowest free block. The caller holds the lock of creations. The exclusion
 * constraint holds whatever else happens.
 * @returns its start port
 * @throws AppError range-overlap, no-free-block, validation-failed
 */
export async function insertNewRange(
  trx: Transaction<Tables>,
  range: NewRange,
  { reuseCooldownSeconds }: FirstRange,
): Promise<number> {
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
  return startPort;
}

/**
 * The same if the project has no range yet.
 * @returns whether it had none
 * @throws AppError range-overlap, no-free-block, validation-failed
 */
export async function insertFirstRange(
  trx: Transaction<Tables>,
  range: NewRange,
  options: FirstRange,
): Promise<boolean> {
  await lockCreations(trx);
  if (await hasRange(trx, range.project)) return false;
  await insertNewRange(trx, range, options);
  return true;
}
