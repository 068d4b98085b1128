import { differs } from '../allocator/project-state.js';
import type { EnvironmentKey } from '../keys.js';
import * as refusals from '../refusals.js';
import { findHeldInEnvironment, toAllocation } from '../repositories/allocations.js';
import { requireRange } from '../repositories/ranges.js';
import type { Allocation } from '../schemas/allocation.js';
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
): Promise<{ items: Allocation[]; created: boolean }> {
  session.access.requireProject(environment.project);
  requireDistinct(services.map(({ service }) => service));
  const rows = await session.read(findHeldInEnvironment, environment);
  // Reversed, so that of a service's several ports the lowest is the one that stays.
  const lowest = new Map(rows.map((row) => [row.service, row] as const).reverse());
  const held = services.flatMap(({ service, ...details }) => {
    const row = lowest.get(service);
    return row && !differs(row, details) ? [row] : [];
  });
  if (held.length === services.length) return { items: held.map(toAllocation), created: false };
  return session.execute(environment.project, {
    kind: 'allocate-environment',
    services: services.map(({ service, ...details }) => ({ key: { ...environment, service }, details })),
  });
}

/**
 * What the environment holds in one port space, by port; empty if nothing.
 * @throws AppError project-not-found
 */
export async function findEnvironment(session: Session, environment: EnvironmentKey): Promise<Allocation[]> {
  const rows = await session.read(findHeldInEnvironment, environment);
  if (rows.length === 0) await session.read(requireRange, environment.project);
  return rows.map(toAllocation);
}

function requireDistinct(services: string[]): void {
  const twice = services.findIndex((service, index) => services.indexOf(service) < index);
  if (twice >= 0) throw refusals.serviceListedTwice(twice, services[twice] as string);
}
