import type { Connection } from '../../client/connection.js';
import { findListening } from '../../client/machine/listening.js';
import type { Listener } from '../../machine/listener.js';
import type { Allocation } from '../../schemas/allocation.js';
import type { Output } from '../output.js';

/** Of some allocations those on whose port somebody listens on this machine. UDP ports are not looked at. */
export async function findInUse(
  allocations: readonly Allocation[],
): Promise<{ allocation: Allocation; listener: Listener | null }[]> {
  const local = allocations.filter(({ host, protocol }) => host === 'localhost' && protocol === 'tcp');
  const listening = await findListening(local.map(({ port }) => port));
  return local
    .filter(({ port }) => listening.has(port))
    .map((allocation) => ({ allocation, listener: listening.get(allocation.port) ?? null }));
}

/**
 * Releases allocations, each by its id: by its service, a port could be released that was allocated a moment ago.
 * @returns the allocations as they were released
 */
export async function releaseEach(
  connection: Connection,
  allocations: readonly Allocation[],
  output: Output,
): Promise<Allocation[]> {
  const released: Allocation[] = [];
  try {
    for (const { id } of allocations) {
      released.push(await connection.send<Allocation>({ method: 'DELETE', path: `/v1/allocations/${id}` }));
    }
  } catch (error) {
    if (released.length > 0) output.warn(`Released before it failed: ${released.map(({ port }) => port).join(', ')}.`);
    throw error;
  }
  return released;
}
