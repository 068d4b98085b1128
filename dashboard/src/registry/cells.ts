import { type Liveness, livenessOf } from '../../../src/client/liveness.js';
import type { Allocation, Audit, AuditConflict, Range, Reservation, Space } from './api.js';
import { isIn } from './cooling.js';
import type { Registry } from './registry.js';

export type CellState = 'free' | 'allocated' | HeldState | 'reserved' | 'cooling' | 'excluded' | 'conflict';
type HeldState = Exclude<Liveness, 'unprobed'>;

export const STATES: Record<CellState, { name: string; meaning: string }> = {
  in_use: { name: 'In use', meaning: 'held, and found listening' },
  stopped: { name: 'Stopped', meaning: 'held, and not listening any more' },
  unseen: { name: 'Never seen', meaning: 'held, and no audit has found it listening' },
  unchecked: { name: 'Not checked yet', meaning: 'held, and no audit has looked since it was allocated' },
  allocated: { name: 'Allocated', meaning: 'held; UDP is not probed' },
  reserved: { name: 'Reserved', meaning: 'kept for a while' },
  cooling: { name: 'Cooling down', meaning: 'released too recently for another service' },
  excluded: { name: 'Excluded', meaning: 'given to nobody unasked' },
  conflict: { name: 'In conflict', meaning: 'the last audit found something wrong' },
  free: { name: 'Free', meaning: 'nobody has it' },
};

/** One port of the map, with everything that is known about it. */
export interface Cell {
  port: number;
  state: CellState;
  allocation: Allocation | null;
  reservation: Reservation | null;
  /** Why the port is excluded; null if it is not. */
  excluded: string | null;
  findings: AuditConflict[];
}

export interface ProjectMap {
  project: string;
  ranges: { range: Range; cells: Cell[] }[];
  total: number;
  held: number;
  inUse: number;
  reserved: number;
  cooling: number;
  excluded: number;
  available: number;
  stopped: number;
  conflicts: number;
}

/** A project that is this full is marked as nearly full. The Prometheus alert fires at the same percentage. */
const NEARLY_FULL_PERCENT = 80;

export type Fullness = 'full' | 'nearly-full' | 'roomy';

export function fullnessOf({ total, held, available }: ProjectMap): Fullness {
  if (available === 0) return 'full';
  return (100 * held) / total >= NEARLY_FULL_PERCENT ? 'nearly-full' : 'roomy';
}

/** The map of every project, in the order of their first ports. */
export function mapProjects(registry: Registry, findings: AuditConflict[]): ProjectMap[] {
  const { space, ranges, cooling, excluded } = registry;
  const allocations = byPort(space, registry.allocations);
  const reservations = byPort(space, registry.reservations);
  const found = new Map<number | null, AuditConflict[]>();
  for (const finding of findings.filter((finding) => isIn(space, finding))) {
    found.set(finding.port, [...(found.get(finding.port) ?? []), finding]);
  }
  const maps = new Map<string, ProjectMap>();
  for (const range of ranges) {
    const cells = Array.from({ length: range.totalPorts }, (_, i): Cell => {
      const port = range.startPort + i;
      const cell = {
        port,
        allocation: allocations.get(port) ?? null,
        reservation: reservations.get(port) ?? null,
        excluded: excluded.get(port) ?? null,
        findings: found.get(port) ?? [],
      };
      return { ...cell, state: stateOf(cell, cooling, registry.lastAudit) };
    });
    const map = maps.get(range.project) ?? emptyMap(range.project);
    maps.set(range.project, map);
    addRange(map, range, cells);
  }
  return [...maps.values()];
}

function stateOf(cell: Omit<Cell, 'state'>, cooling: ReadonlySet<number>, audit: Audit | null): CellState {
  const { port, allocation, reservation, excluded, findings } = cell;
  if (findings.some(({ kind }) => isConflict(kind))) return 'conflict';
  if (allocation) return stateOfHeld(allocation, audit);
  if (reservation) return 'reserved';
  if (excluded !== null) return 'excluded';
  return cooling.has(port) ? 'cooling' : 'free';
}

export function stateOfHeld(allocation: Allocation, audit: Audit | null): CellState {
  const liveness = livenessOf(allocation, audit);
  return liveness === 'unprobed' ? 'allocated' : liveness;
}

/** A stopped service and an unreachable host are findings, but nobody else uses the port. */
function isConflict(kind: AuditConflict['kind']): boolean {
  return kind !== 'not-running' && kind !== 'unreachable' && kind !== 'not-judged';
}

function addRange(map: ProjectMap, range: Range, cells: Cell[]): void {
  map.ranges.push({ range, cells });
  map.total += range.totalPorts;
  map.held += range.allocatedPorts;
  map.inUse += range.inUsePorts;
  map.reserved += range.reservedPorts;
  map.cooling += range.coolingPorts;
  map.excluded += range.excludedPorts;
  map.available += range.availablePorts;
  map.stopped += cells.filter(({ state }) => state === 'stopped').length;
  map.conflicts += cells.filter(({ state }) => state === 'conflict').length;
}

function emptyMap(project: string): ProjectMap {
  const counts = { total: 0, held: 0, inUse: 0, reserved: 0, cooling: 0, excluded: 0, available: 0 };
  return { project, ranges: [], ...counts, stopped: 0, conflicts: 0 };
}

function byPort<T extends Space & { port: number }>(space: Space, items: T[]): Map<number, T> {
  return new Map(items.filter((item) => isIn(space, item)).map((item) => [item.port, item]));
}

/**
 * Whether a finding can still be true: not if the port has another holder by now, or has been found listening since.
 */
export function isStillTrue(finding: AuditConflict, { allocations, reservations }: Registry): boolean {
  const isAbout = (item: Space & { port: number }) => item.port === finding.port && isIn(item, finding);
  const allocation = allocations.find(isAbout);
  switch (finding.kind) {
    case 'unreachable':
    case 'not-judged':
      return finding.port === null || allocation !== undefined;
    case 'squatter':
      return allocation === undefined;
    case 'reserved-in-use':
      return reservations.some(isAbout);
    case 'foreign-listener':
      return allocation?.service === finding.service;
    case 'not-running':
      return allocation?.status === 'allocated' && allocation.service === finding.service;
    case 'duplicate-hostname':
      return allocation?.service === finding.service && allocation.cloudflareHostname !== null;
  }
}
