import type { Kysely } from 'kysely';
import { differs } from '../allocator/project-state.js';
import type { Tables } from '../database/tables.js';
import type { EnvironmentKey } from '../keys.js';
import * as refusals from '../refusals.js';
import { findHeldInEnvironment, findLowestHeld, toAllocation } from '../repositories/allocations.js';
import { requireRange } from '../repositories/ranges.js';
import { type Allocation, type AllocationOutline, withoutMetadata } from '../schemas/allocation.js';
import type { EnvironmentServices } from '../schemas/environment.js';
import type { Session } from './session.js';

/**
 * Every service's port, in the order given: the lowest one that it holds, or else the lowest free one. All of them or
 * none. Where all are held already, this takes neither lock nor transaction.
 * @throws AppError project-not-found, range-exhausted, limit-reached, validation-failed for a service that is listed twice
 */
export async function allocateEnvironment(
  session: Session,
  environment: EnvironmentKey,
  services: EnvironmentServices['services'],
): Promise<{ items: AllocationOutline[]; created: boolean }> {
  session.access.requireProject(environment.project);
  requireDistinct(services.map(({ service }) => service));
  const held = await findAllHeld(session, environment, services);
  if (held !== null) return { items: held, created: false };
  const { items, created } = await session.execute(environment.project, {
    kind: 'allocate-environment',
    services: services.map(({ service, ...details }) => ({ key: { ...environment, service }, details })),
  });
  return { items: items.map(withoutMetadata), created };
}

/** How many services are looked up together. The metadata of so many are 1 MiB at most. */
const LOOKED_UP_TOGETHER = 64;

/** The lowest port of every service; null if one holds none, or not with these details. */
async function findAllHeld(
  session: Session,
  environment: EnvironmentKey,
  services: EnvironmentServices['services'],
): Promise<AllocationOutline[] | null> {
  const held: AllocationOutline[] = [];
  const isLarge = services.length > LOOKED_UP_TOGETHER;
  for (let next = 0; next < services.length; next += LOOKED_UP_TOGETHER) {
    const some = services.slice(next, next + LOOKED_UP_TOGETHER);
    const keys = some.map(({ service }) => ({ ...environment, service }));
    const find = (db: Kysely<Tables>) => findLowestHeld(db, keys);
    const rows = await (isLarge ? session.readLarge(find) : session.read(find));
    for (const [index, { service: _, ...details }] of some.entries()) {
      const row = rows[index];
      if (!row || differs(row, details)) return null;
      held.push(withoutMetadata(toAllocation(row)));
    }
  }
  return held;
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
