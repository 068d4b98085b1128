import { sql } from 'kysely';
import type { IsAbandoned } from '../batcher.js';
import * as refusals from '../refusals.js';
import type { Allocation, AllocationDetails, AllocationQuery } from '../schemas/allocation.js';
import type { AllocationKey, IdempotencyClaim } from './commands.js';
import { changes } from './holdings.js';
import { decodeCursor, isPort, isUuid, type Page, toPage } from './pages.js';
import { hasRange } from './ranges.js';
import { toAllocation } from './rows.js';
import type { Store } from './store.js';

/**
 * The key's port: the one it holds, or else the lowest free one, from now on. However many callers race
 * for one key, they get one port. The hit takes no lock and no transaction.
 * @throws AppError project-not-found, range-exhausted
 */
export async function getOrAllocate(
  store: Store,
  key: AllocationKey,
  details: AllocationDetails,
  isAbandoned?: IsAbandoned,
): Promise<{ allocation: Allocation; created: boolean }> {
  const held = await store.findLowestRow(key);
  if (held && !changes(held, details)) return { allocation: toAllocation(held), created: false };
  return store.execute(key.project, { kind: 'get-or-allocate', key, details }, isAbandoned);
}

/**
 * Always a new port: the lowest free one, or `port`.
 * @throws AppError project-not-found, range-exhausted, port-taken, port-outside-range, idempotency-key-reused
 */
export function allocate(
  store: Store,
  key: AllocationKey,
  details: AllocationDetails,
  options: { port: number | null; idempotency: IdempotencyClaim | null },
  isAbandoned?: IsAbandoned,
): Promise<{ allocation: Allocation; replayed: boolean }> {
  return store.execute(key.project, { kind: 'allocate', key, details, ...options }, isAbandoned);
}

/** Releases every active allocation of the key; empty if there was none. */
export function releaseKey(store: Store, key: AllocationKey, isAbandoned?: IsAbandoned): Promise<Allocation[]> {
  return store.execute(key.project, { kind: 'release-key', key }, isAbandoned);
}

/** Repeatable: a late retry answers the same and never touches the port's next holder. */
export async function release(store: Store, id: string, isAbandoned?: IsAbandoned): Promise<Allocation> {
  return store.execute(await findProject(store, id), { kind: 'release', id }, isAbandoned);
}

/** @throws AppError allocation-not-found, allocation-released */
export async function updateAllocation(
  store: Store,
  id: string,
  details: AllocationDetails,
  isAbandoned?: IsAbandoned,
): Promise<Allocation> {
  return store.execute(await findProject(store, id), { kind: 'update', id, details }, isAbandoned);
}

async function findProject(store: Store, id: string): Promise<string> {
  const project = await store.findProject(id);
  if (project === null) throw refusals.allocationNotFound(id);
  return project;
}

/**
 * Updates every active allocation of the key, by port.
 * @throws AppError project-not-found, allocation-not-found
 */
export function updateKey(
  store: Store,
  key: AllocationKey,
  details: AllocationDetails,
  isAbandoned?: IsAbandoned,
): Promise<Allocation[]> {
  return store.execute(key.project, { kind: 'update-key', key, details }, isAbandoned);
}

/** @throws AppError allocation-not-found */
export async function findAllocation(store: Store, id: string): Promise<Allocation> {
  const row = await store.findRow(id);
  if (!row) throw refusals.allocationNotFound(id);
  return toAllocation(row);
}

/**
 * The lowest port that the key holds.
 * @throws AppError project-not-found, allocation-not-found
 */
export async function findByKey(store: Store, key: AllocationKey): Promise<Allocation> {
  const row = await store.findLowestRow(key);
  if (row) return toAllocation(row);
  throw (await hasRange(store.db, key.project)) ? refusals.keyNotFound(key) : refusals.projectNotFound(key.project);
}

/** By port, then id; the active ones unless a status is asked for. */
export async function listAllocations(
  { db, access: { projects } }: Store,
  query: AllocationQuery,
): Promise<Page<Allocation>> {
  const { status, limit = 100, cursor } = query;
  const after = decodeCursor(cursor, isPort, isUuid);
  const rows = await db
    .selectFrom('port_allocations')
    .selectAll()
    .$if(projects !== null, (q) => q.where('project', 'in', projects ?? []))
    .$if(status === undefined, (q) => q.where('released_at', 'is', null))
    .$if(status === 'released', (q) => q.where('released_at', 'is not', null))
    .$if(status === 'allocated' || status === 'in_use', (q) =>
      q.where('released_at', 'is', null).where('status', '=', status as 'allocated' | 'in_use'),
    )
    .$if(query.project !== undefined, (q) => q.where('project', '=', query.project as string))
    .$if(query.service !== undefined, (q) => q.where('service', '=', query.service as string))
    .$if(query.environment !== undefined, (q) => q.where('environment', '=', query.environment as string))
    .$if(query.host !== undefined, (q) => q.where('host', '=', query.host as string))
    .$if(query.protocol !== undefined, (q) => q.where('protocol', '=', query.protocol as 'tcp' | 'udp'))
    .$if(query.port !== undefined, (q) => q.where('port', '=', query.port as number))
    .$if(query.cloudflareHostname !== undefined, (q) =>
      q.where('cloudflare_hostname', '=', query.cloudflareHostname as string),
    )
    .$if(after !== null, (q) => q.where(sql<boolean>`(port, id) > (${after?.[0]}::integer, ${after?.[1]}::uuid)`))
    .orderBy('port')
    .orderBy('id')
    .limit(limit + 1)
    .execute();
  return toPage(rows, limit, toAllocation, (row) => [row.port, row.id]);
}
