import type { Import, ImportedPort } from '../schemas/import.js';

/**
 * How many of those given to an import came out in each way.
 * @param given how many items or lines there were. Those that gave no item were passed over
 */
export function countOutcomes(items: readonly ImportedPort[], given: number): Import['counts'] {
  const counts = { adopted: 0, held: 0, conflict: 0, outside: 0, invalid: 0, passedOver: given - items.length };
  for (const { outcome } of items) counts[outcome]++;
  return counts;
}
