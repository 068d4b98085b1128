import type { ComponentChildren } from 'preact';
import { formatCount, plural } from '../format.js';
import { findings } from '../registry/audit.js';
import { fullnessOf } from '../registry/cells.js';
import { registry } from '../registry/registry.js';
import { projects, type StateFilter, stateFilter } from '../registry/view.js';

/** The four figures that people come here for. Each is a button that limits the map to what it counts. */
export function SummaryTiles() {
  const maps = projects.value;
  const sum = (count: (map: (typeof maps)[number]) => number) => maps.reduce((total, map) => total + count(map), 0);
  const full = maps.filter((map) => fullnessOf(map) === 'full');
  const nearly = maps.filter((map) => fullnessOf(map) === 'nearly-full');
  const stopped = maps.filter((map) => map.stopped > 0);
  const inUse = sum((map) => map.inUse);
  const conflicts = sum((map) => map.conflicts);
  const audit = registry.value?.lastAudit ?? null;
  const isUdp = registry.value?.space.protocol === 'udp';
  const isChecked = !isUdp && (audit !== null || inUse > 0 || stopped.length > 0);
  const unchecked = isUdp ? 'UDP is not probed' : 'not checked yet';
  const isProbed = audit?.fullyProbedHosts.includes(registry.value?.space.host ?? '') ?? false;
  return (
    <section class="glance" aria-label="At a glance">
      <Tile name="Held" value={formatCount(sum((map) => map.held))} of="all">
        {isChecked ? `${formatCount(inUse)} in use` : unchecked}, {formatCount(sum((map) => map.available))} free in{' '}
        {plural(maps.length, 'project')}
      </Tile>
      <Tile name="Full or nearly full" value={formatCount(full.length + nearly.length)} of="full" bad={full.length > 0}>
        {full.length + nearly.length === 0
          ? 'every project has room'
          : [...full.map(({ project }) => `${project} (full)`), ...nearly.map(({ project }) => project)].join(', ')}
      </Tile>
      <Tile name="Stopped" value={isChecked ? formatCount(sum((map) => map.stopped)) : '–'} of="stopped">
        {isChecked ? describeStopped(stopped.map(({ project }) => project)) : unchecked}
      </Tile>
      <Tile name="In conflict" value={audit ? formatCount(conflicts) : '–'} of="conflict" bad={conflicts > 0}>
        {audit ? describeConflicts(isProbed) : 'not checked yet: an audit tells what listens that should not'}
      </Tile>
    </section>
  );
}

function describeStopped(projects: string[]): string {
  return projects.length === 0 ? 'nothing that ran before is missing' : projects.join(', ');
}

/** @param isProbed whether the audit has probed the ports that nobody holds */
function describeConflicts(isProbed: boolean): string {
  if (!isProbed) return 'the last audit has probed only ports that are held';
  const squatters = findings.value.filter(({ kind }) => kind === 'squatter').length;
  return squatters === 0 ? 'nothing listens uninvited' : `${plural(squatters, 'port')} with an uninvited listener`;
}

interface TileProps {
  name: string;
  value: string;
  of: StateFilter;
  bad?: boolean;
  children: ComponentChildren;
}

function Tile({ name, value, of, bad = false, children }: TileProps) {
  const pressed = of !== 'all' && stateFilter.value === of;
  return (
    <button
      type="button"
      class={bad ? 'tile bad' : 'tile'}
      aria-pressed={of === 'all' ? undefined : pressed}
      onClick={() => (stateFilter.value = pressed ? 'all' : of)}
    >
      <span class="tile-name">{name}</span>
      <span class="tile-value">{value}</span>
      <span class="tile-more">{children}</span>
    </button>
  );
}
