import { differs } from '../allocator/details.js';
import type { FirstRange } from '../allocator/new-range.js';
import { portAndPrefer } from '../allocator/port-refusals.js';
import { readClock } from '../database/clock.js';
import { type AllocationKey, keyOf } from '../keys.js';
import * as refusals from '../refusals.js';
import * as allocations from '../repositories/allocations.js';
import { toAllocation } from '../repositories/allocations.js';
import type { IdempotencyKey } from '../repositories/idempotency-keys.js';
import type { Page, PageRequest } from '../repositories/pages.js';
import { requireRange } from '../repositories/ranges.js';
import type {
  AllocatedPair,
  Allocation,
  AllocationDetails,
  AllocationQuery,
  NewAllocation,
} from '../schemas/allocation.js';
import type { AllocationPlace, Session } from './session.js';

/**
 * The lowest port that the key holds, or else the lowest free one, which the key holds from then on. However many
 * callers race for one key, they get one port. Where the key holds a port already, this takes neither lock nor
 * transaction.
 * @param firstRange what the project gets if it has no range; left out, that is refused
 * @throws AppError project-not-found, no-free-block, range-exhausted, limit-reached
 */
export async function getOrAllocate(
  session: Session,
  key: AllocationKey,
  details: AllocationDetails,
  firstRange?: FirstRange,
): Promise<{ allocation: Allocation; created: boolean }> {
  const held = await session.findHeld(key);
  if (held && !differs(held, details)) return { allocation: toAllocation(held), created: false };
  return session.executeCreating(key.project, { kind: 'get-or-allocate', key, details }, firstRange);
}

/**
 * Always a new port: one allocation, or for both protocols a pair of them with one number.
 * @throws AppError validation-failed, project-not-found, no-free-block, range-exhausted, port-taken, port-outside-range,
 * limit-reached, idempotency-key-reused
 */
export async function allocate(
  session: Session,
  project: string,
  { service, environment, host, protocol, port, prefer, ...details }: NewAllocation,
  idempotency: IdempotencyKey | null,
  firstRange?: FirstRange,
): Promise<{ allocated: Allocation | AllocatedPair; replayed: boolean }> {
  if (port !== undefined && prefer !== undefined) {
    throw portAndPrefer();
  }
  const command = { details, port: port ?? null, prefer: prefer ?? null, idempotency };
  if (protocol === 'both') {
    const { protocol: _, ...key } = keyOf({ project, service }, { environment, host });
    const pair = { kind: 'allocate-both' as const, key, ...command };
    const { items, replayed } = await session.executeCreating(project, pair, firstRange);
    return { allocated: { items }, replayed };
  }
  const key = keyOf({ project, service }, { environment, host, protocol });
  const one = { kind: 'allocate' as const, key, ...command };
  const { allocation, replayed } = await session.executeCreating(project, one, firstRange);
  return { allocated: allocation, replayed };
}

/**
 * The lowest port that the key holds.
 * @throws AppError project-not-found, allocation-not-found
 */
export async function findService(session: Session, key: AllocationKey): Promise<Allocation> {
  const row = await session.findHeld(key);
  if (row) return toAllocation(row);
  await session.read(requireRange, key.project);
  throw refusals.keyNotFound(key);
}

/** @throws AppError allocation-not-found */
export async function findAllocation(session: Session, id: string): Promise<Allocation> {
  const row = await session.findById(id);
  if (!row) throw refusals.allocationNotFound(id);
  return toAllocation(row);
}

/**
 * Repeatable: a late retry answers the same, and never touches the port's next holder.
 * @throws AppError allocation-not-found
 */
export async function releaseAllocation(session: Session, id: string): Promise<Allocation> {
  const place = await requirePlaceOf(session, id);
  return session.execute(place.project, { kind: 'release', id, place });
}

/** @throws AppError allocation-not-found, allocation-released */
export async function updateAllocation(session: Session, id: string, details: AllocationDetails): Promise<Allocation> {
  return session.execute((await requirePlaceOf(session, id)).project, { kind: 'update', id, details });
}

async function requirePlaceOf(session: Session, id: string): Promise<AllocationPlace> {
  const place = await session.findPlaceOf(id);
  if (place === null) throw refusals.allocationNotFound(id);
  return place;
}

const DEFAULT_PAGE = 100;

/** Whether a list is read a few at a time: a page that is larger than the default one, or of which a short one costs as much. */
const isCostly = ({ limit = DEFAULT_PAGE, status, at }: AllocationQuery & PageRequest): boolean =>
  limit > DEFAULT_PAGE || status === 'cooling' || at !== undefined;

/**
 * By port, then id; the active ones unless a status or a moment is asked for.
 * @throws AppError validation-failed for a moment that is still to come, and for one together with a status
 */
export async function listAllocations(
  session: Session,
  query: AllocationQuery & PageRequest,
): Promise<Page<Allocation>> {
  if (query.at !== undefined) await requirePastMoment(session, query.at, query.status);
  return isCostly(query)
    ? session.readLarge(allocations.listAllocations, query)
    : session.read(allocations.listAllocations, query);
}

async function requirePastMoment(session: Session, at: string, status: string | undefined): Promise<void> {
  if (status !== undefined) throw refusals.momentWithStatus();
  const now = (await session.readUnfiltered(readClock)).toISOString();
  if (at > now) throw refusals.momentToCome(now);
}
