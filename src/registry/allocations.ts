import { differs } from '../allocator/details.js';
import type { FirstRange } from '../allocator/new-range.js';
import type { AllocationKey } from '../keys.js';
import * as refusals from '../refusals.js';
import * as allocations from '../repositories/allocations.js';
import { toAllocation } from '../repositories/allocations.js';
import type { Page, PageRequest } from '../repositories/pages.js';
import { requireRange } from '../repositories/ranges.js';
import type { Allocation, AllocationDetails, AllocationQuery } from '../schemas/allocation.js';
import type { Session } from './session.js';

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
  return session.execute(await requireProjectOf(session, id), { kind: 'release', id });
}

/** @throws AppError allocation-not-found, allocation-released */
export async function updateAllocation(session: Session, id: string, details: AllocationDetails): Promise<Allocation> {
  return session.execute(await requireProjectOf(session, id), { kind: 'update', id, details });
}

async function requireProjectOf(session: Session, id: string): Promise<string> {
  const project = await session.findProjectOf(id);
  if (project === null) throw refusals.allocationNotFound(id);
  return project;
}

/** Larger pages than the default one are read a few at a time. */
const DEFAULT_PAGE = 100;

/** By port, then id; the active ones unless a status is asked for. */
export function listAllocations(session: Session, query: AllocationQuery & PageRequest): Promise<Page<Allocation>> {
  const isLarge = (query.limit ?? DEFAULT_PAGE) > DEFAULT_PAGE;
  return isLarge
    ? session.readLarge(allocations.listAllocations, query)
    : session.read(allocations.listAllocations, query);
}
