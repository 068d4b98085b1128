import { signal } from '@preact/signals';
import type { Found } from './found.js';

/** The keys of the findings that are selected. What is no finding any more does not count, see `selectedOf`. */
const selected = signal<ReadonlySet<string>>(new Set());

export const isSelected = ({ key }: Found): boolean => selected.value.has(key);

export const selectedOf = (found: readonly Found[]): Found[] => found.filter(isSelected);

export function select(found: readonly Found[], isSelected: boolean): void {
  const next = new Set(selected.value);
  for (const { key } of found) {
    if (isSelected) next.add(key);
    else next.delete(key);
  }
  selected.value = next;
}

export function clearSelection(): void {
  selected.value = new Set();
}
