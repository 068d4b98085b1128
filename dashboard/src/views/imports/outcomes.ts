import type { PlannedPort } from './plan.js';
import type { ImportedPort, Outcome } from './send.js';

/** What can become of a port, in the order in which the counts are told: before the import, and after it. */
export const OUTCOMES: Record<Outcome, { planned: string; done: string }> = {
  adopted: { planned: 'can be imported', done: 'imported' },
  held: { planned: 'held already', done: 'held already' },
  conflict: { planned: 'taken', done: 'taken' },
  outside: { planned: 'in no range', done: 'in no range' },
  invalid: { planned: 'cannot be read', done: 'cannot be read' },
};

const names = Object.keys(OUTCOMES) as Outcome[];

/** How many have come out in each way, without those that none has. */
export function countOutcomes(ports: readonly Pick<PlannedPort, 'outcome'>[]): [outcome: Outcome, count: number][] {
  return names
    .map((name): [Outcome, number] => [name, ports.filter(({ outcome }) => outcome === name).length])
    .filter(([, count]) => count > 0);
}

/** Within these the registry hands out ports, in ranges that begin with a multiple of 100. */
const LOWEST_PORT = 3000;
const HIGHEST_PORT = 64_999;
const SMALLEST_RANGE = 100;

/** Why a port comes out so, where the registry says it in terms of its interface, or with an id. */
export function wordDetail({ outcome, port, detail }: Pick<ImportedPort, 'outcome' | 'port' | 'detail'>): string {
  if (outcome !== 'outside' || port === null || port < LOWEST_PORT || port > HIGHEST_PORT) {
    return detail.replace(/, (allocation|reservation) [0-9a-f-]{36}\./, '.');
  }
  const start = port - (port % SMALLEST_RANGE);
  return `No range covers it. Once a project has the range ${start}–${start + SMALLEST_RANGE - 1}, begin again with it.`;
}
