import type { Kysely } from 'kysely';
import { differs } from '../allocator/details.js';
import type { Expiry } from '../allocator/environments.js';
import type { FirstRange } from '../allocator/new-range.js';
import type { Tables } from '../database/tables.js';
import type { EnvironmentKey } from '../keys.js';
import * as refusals from '../refusals.js';
import {
  findAllocationsById,
  findHeldInEnvironment,
  findLowestHeld,
  type RecordRow,
  toAllocation,
} from '../repositories/allocations.js';
import { requireRange } from '../repositories/ranges.js';
import { type Allocation, type AllocationOutline, withoutMetadata } from '../schemas/allocation.js';
import type { EnvironmentExpiry, EnvironmentServices } from '../schemas/environment.js';
import type { Session } from './session.js';

/** How many allocations are read together. The metadata of so many are 1 MiB at most. */
const READ_TOGETHER = 64;

export interface AllocatedEnvironment {
  outlines: AllocationOutline[];
  /** The same with their metadata, in pages, so that those of a large environment are never in memory as a whole. */
  pages: AsyncGenerator<Allocation[]>;
  created: boolean;
  expiry: EnvironmentExpiry;
}

/**
 * Every service's port, in the order given: the lowest one that it holds, or else the lowest free one. All of them or
 * none. Where all are held already, by an environment that lives in `path`, this takes neither lock nor transaction.
 * @param firstRange what the project gets if it has no range; left out, that is refused
 * @throws AppError project-not-found, no-free-block, range-exhausted, limit-reached, environment-elsewhere,
 * validation-failed for a service that is listed twice
 */
export async function allocateEnvironment(
  session: Session,
  environment: EnvironmentKey,
  wanted: EnvironmentServices,
  firstRange?: FirstRange,
): Promise<AllocatedEnvironment> {
  const { services, path } = wanted;
  const expiry = readExpiry(wanted);
  session.access.requireProject(environment.project);
  requireDistinct(services.map(({ service }) => service));
  const isLarge = services.length > READ_TOGETHER;
  const held = await findAllHeld(session, environment, wanted, isLarge);
  const { items, created, ...known } = held
    ? { ...held, created: false }
    : await session.executeCreating(
        environment.project,
        {
          kind: 'allocate-environment',
          services: services.map(({ service, ...details }) => ({ key: { ...environment, service }, details })),
          path,
          expiry,
        },
        firstRange,
      );
  const outlines = items.map(withoutMetadata);
  return {
    outlines,
    pages: isLarge ? readAgain(session, outlines) : onePage(items),
    created,
    expiry: toExpiry(known.expiry),
  };
}

/**
 * The lowest port of every service; null if one holds none, or not with these details, or the path or the expiry is not
 * on record, or this use of the environment has to be recorded.
 * @param isLarge then nothing keeps the metadata once it was compared
 */
async function findAllHeld(
  session: Session,
  environment: EnvironmentKey,
  { services, path, ...wanted }: EnvironmentServices,
  isLarge: boolean,
): Promise<{ items: Allocation[]; expiry: RecordedExpiry } | null> {
  const expiry = readExpiry(wanted);
  const held: Allocation[] = [];
  let found: RecordedExpiry = null;
  for (const some of chunk(services)) {
    const keys = some.map(({ service }) => ({ ...environment, service }));
    const find = (db: Kysely<Tables>) => findLowestHeld(db, keys, true);
    const rows = await (isLarge ? session.readLarge(find) : session.read(find));
    const [first] = rows;
    if (!first || first.is_use_due || (path !== undefined && first.path !== path)) return null;
    found = toRecorded(first);
    if (expiry !== undefined && !isSameExpiry(expiry, found)) return null;
    for (const [index, { service: _, ...details }] of some.entries()) {
      const row = rows[index];
      if (!row || differs(row, details)) return null;
      held.push({ ...toAllocation(row), ...(isLarge && { metadata: null }) });
    }
  }
  return { items: held, expiry: found };
}

/** When an environment expires, as it is on record; null for never. */
type RecordedExpiry = (Expiry & { at: Date }) | null;

function toRecorded({ expires_after_seconds: seconds, on_expiry: onExpiry, expires_at: at }: Partial<RecordRow>) {
  return seconds && onExpiry && at ? { expiresAfterSeconds: seconds, onExpiry, at } : null;
}

function isSameExpiry(expiry: Expiry | null, known: RecordedExpiry): boolean {
  return expiry?.expiresAfterSeconds === known?.expiresAfterSeconds && expiry?.onExpiry === known?.onExpiry;
}

/**
 * What is to be on record; null for never, undefined if that is not to be changed.
 * @throws AppError validation-failed
 */
function readExpiry(wanted: Pick<EnvironmentServices, 'expiresAfterSeconds' | 'onExpiry'>): Expiry | null | undefined {
  const { expiresAfterSeconds, onExpiry } = wanted;
  if (expiresAfterSeconds) return { expiresAfterSeconds, onExpiry: onExpiry ?? 'tell' };
  if (onExpiry !== undefined) throw refusals.expiryWithoutTime();
  return expiresAfterSeconds === null ? null : undefined;
}

function toExpiry(recorded: RecordedExpiry): EnvironmentExpiry {
  const { expiresAfterSeconds = null, onExpiry = null, at } = recorded ?? {};
  return { expiresAfterSeconds, onExpiry, expiresAt: at?.toISOString() ?? null };
}

async function* readAgain(session: Session, outlines: readonly AllocationOutline[]): AsyncGenerator<Allocation[]> {
  for (const some of chunk(outlines)) {
    const ids = some.map(({ id }) => id);
    const rows = await session.readLarge((db) => findAllocationsById(db, ids));
    yield rows.flatMap((row) => (row === null ? [] : toAllocation(row))); // null if it was deleted meanwhile
  }
}

async function* onePage<T>(items: T[]): AsyncGenerator<T[]> {
  yield items;
}

function* chunk<T>(items: readonly T[]): Generator<T[]> {
  for (let next = 0; next < items.length; next += READ_TOGETHER) yield items.slice(next, next + READ_TOGETHER);
}

/**
 * What the environment holds in one port space, by port; nothing where it holds nothing. It comes in pages, so that a
 * large environment is never in memory as a whole.
 * @throws AppError project-not-found
 */
export async function* readEnvironment(session: Session, environment: EnvironmentKey): AsyncGenerator<Allocation[]> {
  for (let after = 0; ; ) {
    const { allocations, hasNext } = await session.readLarge(findHeldInEnvironment, environment, after);
    const last = allocations.at(-1);
    if (last === undefined && after === 0) await session.read(requireRange, environment.project);
    yield allocations;
    if (last === undefined || !hasNext) return;
    after = last.port;
  }
}

function requireDistinct(services: string[]): void {
  const twice = services.findIndex((service, index) => services.indexOf(service) < index);
  if (twice >= 0) throw refusals.serviceListedTwice(twice, services[twice] as string);
}
