import type { RefObject } from 'preact';
import { useLayoutEffect } from 'preact/hooks';

/**
 * Keeps the focus in a table whose rows come and go. Browsers take it away from an element that is moved, as when rows
 * are sorted, and from one that is removed.
 * @returns the key of the row in which the focus is, so that it can stay mounted when it is scrolled out of sight
 */
export function useKeptFocus(table: RefObject<HTMLTableElement | null>): string | null {
  const active = document.activeElement;
  const row = table.current?.contains(active) ? active?.closest<HTMLElement>('tr[data-key]') : null;
  useLayoutEffect(() => {
    if (!row || !(active instanceof HTMLElement) || document.activeElement !== document.body) return;
    if (active.isConnected) active.focus({ preventScroll: true });
    else focusRowAt(table.current, Number(row.ariaRowIndex));
  });
  return row?.dataset['key'] ?? null;
}

/** Focuses the row that has taken the place of one that is gone, or else the last one, or else what stands above. */
function focusRowAt(table: HTMLTableElement | null, rowIndex: number): void {
  const rows = [...(table?.querySelectorAll<HTMLElement>('tr[data-key]') ?? [])];
  const row = rows.find(({ ariaRowIndex }) => Number(ariaRowIndex) >= rowIndex) ?? rows.at(-1);
  const target = row?.querySelector<HTMLElement>('a, input, button') ?? document.querySelector<HTMLElement>('main h2');
  target?.focus({ preventScroll: true });
}

/** Gives the focus to the head of the table, or else of the view, when what has it goes away. */
export function useFocusHandedOn(box: RefObject<HTMLElement | null>): void {
  useLayoutEffect(
    () => () => {
      if (!box.current?.contains(document.activeElement)) return;
      const targets = ['.services-table thead input', 'main h2'].map((one) => document.querySelector<HTMLElement>(one));
      targets.find((one) => one !== null && !box.current?.contains(one))?.focus({ preventScroll: true });
    },
    [],
  );
}
