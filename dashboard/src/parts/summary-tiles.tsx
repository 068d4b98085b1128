import type { ComponentChildren } from 'preact';
import { formatCount, plural } from '../format.js';
import { auditState, findings } from '../registry/audit.js';
import { fullnessOf } from '../registry/cells.js';
import { projects, type StateFilter, stateFilter } from '../registry/view.js';

/** The four figures that people come here for. Each is a button that limits the map to what it counts. */
export function SummaryTiles() {
  const maps = projects.value;
  const sum = (count: (map: (typeof maps)[number]) => number) => maps.reduce((total, map) => total + count(map), 0);
  const full = maps.filter((map) => fullnessOf(map) === 'full');
  const nearly = maps.filter((map) => fullnessOf(map) === 'nearly-full');
  const down = maps.filter((map) => map.down > 0);
  const conflicts = sum((map) => map.conflicts);
  const audited = auditState.value.phase === 'done';
  return (
    <section class="glance" aria-label="At a glance">
      <Tile name="Held" value={formatCount(sum((map) => map.held))} of="all">
        {formatCount(sum((map) => map.inUse))} in use, {formatCount(sum((map) => map.available))} free in{' '}
        {plural(maps.length, 'project')}
      </Tile>
      <Tile name="Full or nearly full" value={formatCount(full.length + nearly.length)} of="full" bad={full.length > 0}>
        {full.length + nearly.length === 0
          ? 'every project has room'
          : [...full.map(({ project }) => `${project} (full)`), ...nearly.map(({ project }) => project)].join(', ')}
      </Tile>
      <Tile name="Down" value={formatCount(sum((map) => map.down))} of="down">
        {down.length === 0 ? 'nothing that ran before is missing' : down.map(({ project }) => project).join(', ')}
      </Tile>
      <Tile name="In conflict" value={audited ? formatCount(conflicts) : '–'} of="conflict" bad={conflicts > 0}>
        {audited ? describeConflicts() : 'an audit tells what listens that should not'}
      </Tile>
    </section>
  );
}

function describeConflicts(): string {
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
