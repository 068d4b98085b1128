// What the model holds and answers.
import { systemPorts } from '../../src/machine/ephemeral-ports.js';
import { warningsOf } from '../../src/repositories/range-warnings.js';
import type { Command, Details, Key, Space, Wish } from './commands.js';

export interface ModelRange {
  startPort: number;
  endPort: number;
  project: string;
  kind: 'project' | 'shared';
  description: string | null;
}

/**
 * An allocation, without what its port being excluded adds to an answer. Immutable, so that copies of a model can share
 * it.
 */
export type Held = Readonly<
  Key & {
    id: string;
    port: number;
    status: 'allocated' | 'released';
    serviceType: string | null;
    description: string | null;
    cloudflareHostname: string | null;
    metadata: Record<string, unknown> | null;
    /** Whether the hostname was set while another project had it, and nothing is routed to this allocation. */
    isWithheld: boolean;
  }
>;

/** The status of an answer, and its body without times. */
export interface Observation {
  status: number;
  body: unknown;
}

export const NO_WISH: Wish = { port: null, prefer: null };
export const SIZE = { project: 100, shared: 1000 };

export const refuse = (status: number, code: string, holder?: object): Observation => ({
  status,
  body: { code, ...(holder && { holder }) },
});

export const figures = (totalPorts: number, allocatedPorts: number, excludedPorts: number) => ({
  ...{ totalPorts, allocatedPorts, inUsePorts: 0, reservedPorts: 0, coolingPorts: 0, excludedPorts },
  availablePorts: totalPorts - allocatedPorts - excludedPorts,
  utilization: Math.round((allocatedPorts / totalPorts) * 10_000) / 100,
});

/** The ids of the allocations in an answer. */
export function idsOf(body: unknown): (string | undefined)[] {
  const { id, items } = (body ?? {}) as { id?: string; items?: { id: string }[] };
  return items ? items.map((item) => item.id) : [id];
}

export function withoutHostname({ cloudflareHostname: _, ...details }: Details): Details {
  return details;
}

export const covers = (range: ModelRange, port: number) => range.startPort <= port && port <= range.endPort;
export const sameSpace = (a: Space, b: Space) => a.host === b.host && a.protocol === b.protocol;
export const byPortThenId = (a: Held, b: Held) => a.port - b.port || (a.id < b.id ? -1 : 1);

export function isListed({ status, project, service }: Held, asked: Command & { op: 'list' }): boolean {
  return (
    (asked.status === 'any' || (status === 'released') === (asked.status === 'released')) &&
    (asked.project === undefined || project === asked.project) &&
    (asked.service === undefined || service === asked.service)
  );
}

/** The ports that somebody who names none may get, in all of the port spaces, ascending. */
export function freePorts(ranges: ModelRange[], spaces: Space[], active: Held[], excluded: Excluded): number[] {
  const taken = new Set(active.flatMap((row) => (spaces.some((space) => sameSpace(row, space)) ? [row.port] : [])));
  return ranges
    .flatMap(({ startPort, endPort }) => Array.from({ length: endPort - startPort + 1 }, (_, i) => startPort + i))
    .filter((port) => !taken.has(port) && !excluded.has(port));
}

export function lowestBlock(ranges: ModelRange[], kind: ModelRange['kind']): number {
  let startPort = 3000;
  for (const range of ranges) {
    if (startPort + SIZE[kind] <= range.startPort) break;
    startPort = range.endPort + 1;
  }
  return startPort;
}

/** The excluded ports, and why each is. */
export type Excluded = ReadonlyMap<number, string>;

export const tellExcluded = (excluded: Excluded, port: number) =>
  excluded.has(port) ? { port, reason: excluded.get(port) } : null;

/** A range with its counts. An excluded port that is held counts as held. */
export function count(range: ModelRange, space: Space, active: Held[], excludedPorts: Excluded) {
  const held = active.filter((row) => covers(range, row.port) && sameSpace(row, space));
  const isHeld = (port: number) => held.some((row) => row.port === port);
  const excluded = [...excludedPorts.keys()].filter((port) => covers(range, port) && !isHeld(port)).length;
  const warnings = warningsOf({ start: range.startPort, end: range.endPort }, systemPorts());
  return { ...range, reuseCooldownSeconds: 0, ...figures(SIZE[range.kind], held.length, excluded), warnings };
}
