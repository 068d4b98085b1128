import { computed } from '@preact/signals';
import { isOwnProject } from '../../access/own-projects.js';
import type { Held, Range, Reservation } from '../../registry/api.js';
import {
  crowdedProjects,
  environment,
  isFiltered,
  project,
  query,
  shownRows,
  space,
  state,
} from '../../registry/filters.js';
import { nameSpot, type Spot } from '../../registry/port-space.js';
import { type Project, projects } from '../../registry/projects.js';
import { wordsOf } from '../../registry/rows.js';
import { type PortState, stateOf } from '../../registry/states.js';
import { excluded, holderOf } from '../../registry/store.js';

/** One port of the map. */
export interface Cell extends Spot {
  state: PortState;
  holder: Held | Reservation | null;
  /** Why nobody is given it unasked; null if it is not excluded. */
  exclusion: string | null;
  /** Whether the filters leave it out. */
  isDim: boolean;
}

/** Ten adjacent ports: a line of the map. */
export interface Decade {
  start: number;
  cells: readonly Cell[];
  /** Whether it is folded until somebody unfolds it: nobody has any of it, and it is not what was searched for. */
  isFoldable: boolean;
}

export interface RangeMap {
  range: Range;
  decades: readonly Decade[];
}

export interface ProjectMap {
  project: Project;
  ranges: readonly RangeMap[];
}

export const DECADE = 10;

/** The decades as they were computed last, by their first port. */
let before: ReadonlyMap<number, Decade> = new Map();

/**
 * The map of every project that the key of this page covers. A decade of which nothing has changed stays the same
 * object, by which its line on the screen knows that it need not be rendered again.
 */
export const projectMaps = computed<ProjectMap[]>(() => {
  const isMatch = matchOf();
  const now = new Map<number, Decade>();
  const maps = projects.value.filter(isShown).map((project) => ({
    project,
    ranges: project.ranges.map((range) => ({
      range,
      decades: startsOf(range).map((start) => {
        const decade = unlessChanged(before.get(start), decadeOf(start, range.project, isMatch));
        now.set(start, decade);
        return decade;
      }),
    })),
  }));
  before = now;
  return maps;
});

const isShown = ({ name }: Project) => isOwnProject(name);

/** Those in which something is left by the filters. */
export const shownMaps = computed<ProjectMap[]>(() =>
  isFiltered.value ? projectMaps.value.filter(hasMatch) : projectMaps.value,
);

function hasMatch({ ranges }: ProjectMap): boolean {
  return ranges.some(({ decades }) => decades.some(({ cells }) => cells.some(({ isDim }) => !isDim)));
}

function startsOf({ startPort, totalPorts }: Range): number[] {
  return Array.from({ length: totalPorts / DECADE }, (_, index) => startPort + index * DECADE);
}

type IsMatch = (cell: Omit<Cell, 'isDim'>, owner: string) => boolean;

function decadeOf(start: number, owner: string, isMatch: IsMatch | null): Decade {
  const cells = Array.from({ length: DECADE }, (_, index): Cell => {
    const spot = { ...space.value, port: start + index };
    const cell = {
      ...spot,
      state: stateOf(spot),
      holder: holderOf(spot),
      exclusion: excluded.value.get(spot.port)?.reason ?? null,
    };
    return { ...cell, isDim: isMatch !== null && !isMatch(cell, owner) };
  });
  const isSearching = query.value.trim() !== '' || state.value === 'excluded';
  const isSearchedFor = isSearching && cells.some(({ isDim }) => !isDim);
  return { start, cells, isFoldable: !isSearchedFor && cells.every(isNobodys) };
}

/** Excluded ports alone do not keep a decade unfolded: they say as little of what runs as free ones do. */
const isNobodys = ({ state }: Cell) => state === 'free' || state === 'excluded';

/**
 * What the filters leave; null where there are none. What somebody has matches where it does in the table of services.
 */
function matchOf(): IsMatch | null {
  if (!isFiltered.value) return null;
  const shown = new Set(shownRows.value.map(({ spot }) => spot));
  const words = wordsOf(query.value);
  return (cell, owner) => {
    if (cell.holder !== null) return shown.has(nameSpot(cell));
    const text = `${cell.port} ${cell.exclusion ?? ''}`.toLowerCase();
    return (
      environment.value === '' &&
      (project.value === '' || project.value === owner) &&
      isOfState(cell, owner) &&
      words.every((word) => text.includes(word))
    );
  };
}

/** Of a port that nobody has: it is never held. */
function isOfState(cell: Pick<Cell, 'state'>, owner: string): boolean {
  if (state.value === '') return true;
  return state.value === 'full' ? crowdedProjects.value.has(owner) : state.value === cell.state;
}

function unlessChanged(before: Decade | undefined, now: Decade): Decade {
  const isSame =
    before !== undefined &&
    before.isFoldable === now.isFoldable &&
    now.cells.every((cell, index) => isSameCell(cell, before.cells[index]));
  return isSame ? before : now;
}

function isSameCell(one: Cell, other: Cell | undefined): boolean {
  return (
    other !== undefined &&
    one.state === other.state &&
    one.holder === other.holder &&
    one.exclusion === other.exclusion &&
    one.isDim === other.isDim &&
    nameSpot(one) === nameSpot(other)
  );
}
