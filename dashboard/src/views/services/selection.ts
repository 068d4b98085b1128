import { computed, signal } from '@preact/signals';
import type { Held } from '../../registry/api.js';
import { shownRows } from '../../registry/filters.js';
import type { Row } from '../../registry/rows.js';
import { held } from '../../registry/store.js';
import { listedRows } from './lines.js';

/** The ids of the allocations that were selected. One that was released since is no longer among `selected`. */
const ids = signal<ReadonlySet<string>>(new Set());
/** The one that was selected last: a click with Shift selects from there. */
let anchor: string | null = null;

/** What is selected, whether the filters show it or not. */
export const selected = computed<readonly Held[]>(() => [...ids.value].flatMap((id) => held.value.get(id) ?? []));

/** How many of these the filters do not show. */
export const hiddenCount = computed(() => {
  const shown = new Set(shownRows.value.map((row) => row.held?.id));
  return selected.value.filter(({ id }) => !shown.has(id)).length;
});

export const isSelected = (id: string): boolean => ids.value.has(id);

/** Which part of these rows is selected. Reservations cannot be. */
export function partSelected(rows: readonly Row[]): 'none' | 'some' | 'all' {
  let isSome = false;
  let isAll = true;
  for (const { held: one } of rows) {
    if (one === null) continue;
    if (ids.value.has(one.id)) isSome = true;
    else isAll = false;
  }
  if (!isSome) return 'none';
  return isAll ? 'all' : 'some';
}

export function select(rows: readonly Row[], isOn: boolean): void {
  const next = new Set(selected.value.map(({ id }) => id));
  for (const { held: one } of rows) {
    if (one === null) continue;
    if (isOn) next.add(one.id);
    else next.delete(one.id);
  }
  ids.value = next;
}

/** Selects one row; with Shift, all from the one that was selected before. */
export function selectOne(row: Row, isOn: boolean, isRange: boolean): void {
  const rows = listedRows.value;
  const from = isRange ? rows.findIndex((one) => one.held !== null && one.held.id === anchor) : -1;
  const to = rows.indexOf(row);
  select(from < 0 || to < 0 ? [row] : rows.slice(Math.min(from, to), Math.max(from, to) + 1), isOn);
  anchor = row.held?.id ?? null;
}

export function selectNone(): void {
  ids.value = new Set();
}
