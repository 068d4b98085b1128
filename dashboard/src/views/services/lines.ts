import { computed } from '@preact/signals';
import { parameter } from '../../place.js';
import { shownRows } from '../../registry/filters.js';
import { type Project, projects } from '../../registry/projects.js';
import type { Row } from '../../registry/rows.js';
import { COLUMNS, type Column, DEFAULT_COLUMNS } from './columns.js';

/** A line of the table: a row, or the head of a project's rows. */
export type Line = { key: string; row: Row } | { key: string; group: Group };

export interface Group {
  name: string;
  /** Null of a project whose ranges the caller may not see. */
  project: Project | null;
  rows: Row[];
}

/** `age`, or `-age` for the other way round. */
const sort = parameter('sort');
const columnsChosen = parameter('columns');
const grouping = parameter('group');

export const DEFAULT_SORT = 'port';

/** By which column the rows are sorted, and which way round. */
export const sorting = computed<{ id: string; isDescending: boolean }>(() => {
  const id = sort.value.replace(/^-/, '');
  if (!COLUMNS.some((column) => column.id === id)) return { id: DEFAULT_SORT, isDescending: false };
  return { id, isDescending: sort.value.startsWith('-') };
});

export const isGrouped = computed(() => grouping.value !== 'none');

export const shownColumns = computed<readonly Column[]>(() => {
  const ids = columnsChosen.value.split(',');
  const chosen = COLUMNS.filter(({ id }) => ids.includes(id));
  return chosen.length > 0 ? chosen : COLUMNS.filter(({ id }) => DEFAULT_COLUMNS.includes(id));
});

/** The columns as they stand in the address: null for those that are shown until somebody chooses. */
export function nameColumns(ids: readonly string[]): string | null {
  const chosen = COLUMNS.map(({ id }) => id).filter((id) => ids.includes(id));
  return chosen.join() === DEFAULT_COLUMNS.join() ? null : chosen.join();
}

export const sortedRows = computed<Row[]>(() => {
  const { id, isDescending } = sorting.value;
  if (id === DEFAULT_SORT && !isDescending) return shownRows.value; // as they are
  const { sortBy } = COLUMNS.find((column) => column.id === id) as Column;
  const way = isDescending ? -1 : 1;
  const keyed = shownRows.value.map((row) => ({ row, by: sortBy(row) }));
  // The sort is stable, so that rows with the same value stay in the order of their ports.
  keyed.sort((a, b) => {
    if (a.by === b.by) return 0;
    if (a.by === null || b.by === null) return a.by === null ? 1 : -1;
    return a.by < b.by ? -way : way;
  });
  return keyed.map(({ row }) => row);
});

export const shownLines = computed<Line[]>(() => {
  if (!isGrouped.value) return sortedRows.value.map(lineOf);
  return groups.value.flatMap((group) => [{ key: group.name, group }, ...group.rows.map(lineOf)]);
});

const lineOf = (row: Row): Line => ({ key: row.held?.id ?? row.reservation?.id ?? row.spot, row });

/** The rows in the order in which they stand below each other. */
export const listedRows = computed<Row[]>(() => shownLines.value.flatMap((line) => ('row' in line ? line.row : [])));

/** By project, in the order of their first ports, or as they are sorted by name. */
const groups = computed<Group[]>(() => {
  const known = new Map(projects.value.map((project) => [project.name, project]));
  const found = new Map<string, Group>();
  for (const row of sortedRows.value) {
    const group = found.get(row.project);
    if (group !== undefined) group.rows.push(row);
    else found.set(row.project, { name: row.project, project: known.get(row.project) ?? null, rows: [row] });
  }
  if (sorting.value.id === 'project') return [...found.values()];
  const inOrder = [...known.keys()].flatMap((name) => found.get(name) ?? []);
  return [...inOrder, ...[...found.values()].filter(({ project }) => project === null)];
});
