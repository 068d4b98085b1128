import { type Allocation, answerOf, api, type Range, type Reservation, type Space } from './api.js';

/** Connections that a browser opens to one host. */
const AT_A_TIME = 6;

/**
 * Which ports cool down. The lists tell how many there are in each range, and each port tells its own state: asked
 * are those that cooled before, then the others from below, since the lowest are handed out first, until all are found.
 */
export async function findCooling(
  space: Space,
  ranges: Range[],
  taken: ReadonlySet<number>,
  before: ReadonlySet<number>,
): Promise<Set<number>> {
  const found = new Set<number>();
  for (const range of ranges.filter(({ coolingPorts }) => coolingPorts > 0)) {
    const ports = Array.from({ length: range.totalPorts }, (_, i) => range.startPort + i).filter(
      (port) => !taken.has(port),
    );
    const candidates = [...ports.filter((port) => before.has(port)), ...ports.filter((port) => !before.has(port))];
    let missing = range.coolingPorts;
    while (missing > 0 && candidates.length > 0) {
      const batch = candidates.splice(0, Math.min(missing, AT_A_TIME));
      const answers = await Promise.all(
        batch.map((port) => answerOf(api.GET('/v1/ports/{port}', { params: { path: { port }, query: space } }))),
      );
      for (const { port, state } of answers) {
        if (state === 'cooling') found.add(port);
      }
      missing =
        range.coolingPorts - [...found].filter((port) => port >= range.startPort && port <= range.endPort).length;
    }
  }
  return found;
}

/** What is held or reserved in one port space. */
export function takenPorts(space: Space, held: (Allocation | Reservation)[]): Set<number> {
  return new Set(held.filter((item) => isIn(space, item)).map(({ port }) => port));
}

export function isIn(space: Space, { host, protocol }: Space): boolean {
  return host === space.host && protocol === space.protocol;
}
