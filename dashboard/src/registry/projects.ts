import { computed } from '@preact/signals';
import type { Range } from './api.js';
import { auditOf, findingsBySpot, ownerOf } from './audits.js';
import { isIn } from './port-space.js';
import { rows } from './rows.js';
import { isConflict } from './states.js';
import { countedSpace, ranges } from './store.js';

/** How many ports there are of each kind, in one port space. */
export interface Counts {
  total: number;
  held: number;
  inUse: number;
  reserved: number;
  cooling: number;
  excluded: number;
  available: number;
}

/** A project with its ranges, counted in `countedSpace`. */
export interface Project extends Counts {
  name: string;
  ranges: Range[];
}

/** What is wrong in a project, in `countedSpace`. */
export interface Alarms {
  conflicts: number;
  stopped: number;
  /**
   * Whether any audit that is kept has looked. Where none has, there may be some of which nobody knows. UDP has none.
   */
  isChecked: boolean;
}

/** A project that is this full is marked as nearly full. The Prometheus alert fires at the same percentage. */
const NEARLY_FULL_PERCENT = 80;

export type Fullness = 'full' | 'nearly-full' | 'roomy';

export function fullnessOf({ total, held, available }: Counts): Fullness {
  if (available === 0) return 'full';
  return (100 * held) / total >= NEARLY_FULL_PERCENT ? 'nearly-full' : 'roomy';
}

export function countsOf(range: Range): Counts {
  return {
    total: range.totalPorts,
    held: range.allocatedPorts,
    inUse: range.inUsePorts,
    reserved: range.reservedPorts,
    cooling: range.coolingPorts,
    excluded: range.excludedPorts,
    available: range.availablePorts,
  };
}

/** Every project, in the order of their first ports. */
export const projects = computed<Project[]>(() =>
  [...rangesByProject(ranges.value)].map(([name, own]) => ({ name, ranges: own, ...sumOf(own.map(countsOf)) })),
);

function sumOf(all: Counts[]): Counts {
  const sum = (kind: keyof Counts) => all.reduce((total, counts) => total + counts[kind], 0);
  return {
    total: sum('total'),
    held: sum('held'),
    inUse: sum('inUse'),
    reserved: sum('reserved'),
    cooling: sum('cooling'),
    excluded: sum('excluded'),
    available: sum('available'),
  };
}

function rangesByProject(all: readonly Range[]): Map<string, Range[]> {
  const found = new Map<string, Range[]>();
  for (const range of all) {
    const own = found.get(range.project);
    if (own === undefined) found.set(range.project, [range]);
    else own.push(range);
  }
  return found;
}

export const projectNames = computed(() => projects.value.map(({ name }) => name).sort());

const stoppedByProject = computed(() =>
  countByProject(rows.value.filter((row) => row.state === 'stopped' && isIn(countedSpace.value, row))),
);

/** Ports that are in conflict, not findings: a port can have several. */
const conflictsByProject = computed(() => {
  const found = [...findingsBySpot.value.values()].flatMap((all) => all.find(isConflict) ?? []);
  return countByProject(
    found
      .filter((finding) => isIn(countedSpace.value, finding))
      .map(({ project, port }) => ({ project: project ?? ownerOf(port) })),
  );
});

function countByProject(all: readonly { project: string | null }[]): Map<string | null, number> {
  const counts = new Map<string | null, number>();
  for (const { project } of all) counts.set(project, (counts.get(project) ?? 0) + 1);
  return counts;
}

export function alarmsOf(project: string): Alarms {
  const { host, protocol } = countedSpace.value;
  return {
    conflicts: conflictsByProject.value.get(project) ?? 0,
    stopped: stoppedByProject.value.get(project) ?? 0,
    isChecked: protocol === 'tcp' && auditOf(project, host) !== null,
  };
}
