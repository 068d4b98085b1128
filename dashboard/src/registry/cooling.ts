import { type Allocation, answerOf, api, type Range, type Reservation, type Space } from './api.js';

/** How many connections a browser opens to one host at a time. */
const AT_A_TIME = 6;

/**
 * Finds out which ports are cooling down. The list of ranges only says how many there are in each, so the state of
 * single ports is requested until that many are found. Ports that were cooling before come first, then the others in
 * ascending order, because the lowest ports are handed out first.
 * @param others the ports that are held, reserved or excluded, which do not count as cooling
 * @param before the ports that were cooling when the registry was last read
 */
export async function findCooling(
  space: Space,
  ranges: Range[],
  others: ReadonlySet<number>,
  before: ReadonlySet<number>,
): Promise<Set<number>> {
  const found = new Set<number>();
  for (const range of ranges.filter(({ coolingPorts }) => coolingPorts > 0)) {
    const ports = Array.from({ length: range.totalPorts }, (_, i) => range.startPort + i).filter(
      (port) => !others.has(port),
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

/** The ports that are held or reserved in one port space. */
export function takenPorts(space: Space, items: (Allocation | Reservation)[]): Set<number> {
  return new Set(items.filter((item) => isIn(space, item)).map(({ port }) => port));
}

export function isIn(space: Space, { host, protocol }: Space): boolean {
  return host === space.host && protocol === space.protocol;
}
