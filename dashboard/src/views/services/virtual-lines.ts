import type { VirtualItem } from '@tanstack/virtual-core';
import type { RefObject } from 'preact';
import { useLayoutEffect, useState } from 'preact/hooks';
import { useWindowVirtualizer } from '../../window-virtualizer.js';
import type { Line } from './lines.js';

/** Lines above and below the window that are mounted too, so that fast scrolling shows no gaps. */
const OVERSCAN = 12;
/** Until one was measured. */
const LIKELY_PX = 38;

/** In pixels: how wide the table may be, where its lines begin on the page, and how high each kind of line is. */
export interface Measures {
  width: number;
  top: number;
  rowHeight: number;
  groupHeight: number;
}

const UNMEASURED = { width: Number.POSITIVE_INFINITY, top: 0, rowHeight: LIKELY_PX, groupHeight: LIKELY_PX };

/** Measures the box around a table now, and whenever anything on the page changes its size. */
export function useMeasures(box: RefObject<HTMLElement | null>): Measures {
  const [measures, setMeasures] = useState<Measures>(UNMEASURED);
  useLayoutEffect(() => {
    const measure = () => setMeasures((before) => sameOr(before, measuresOf(box.current, before)));
    const observer = new ResizeObserver(measure);
    observer.observe(document.body); // grows and shrinks with whatever stands above the table
    if (box.current !== null) observer.observe(box.current);
    measure();
    return () => observer.disconnect();
  }, []);
  return measures;
}

function measuresOf(box: HTMLElement | null, before: Measures): Measures {
  const heightOf = (kind: 'port' | 'group') => box?.querySelector<HTMLElement>(`tr.${kind}`)?.offsetHeight;
  const body = box?.querySelector('tbody');
  return {
    width: box?.clientWidth ?? before.width,
    top: body ? Math.round(body.getBoundingClientRect().top + scrollY) : before.top,
    rowHeight: heightOf('port') || before.rowHeight,
    groupHeight: heightOf('group') || before.groupHeight,
  };
}

const sameOr = (before: Measures, now: Measures): Measures =>
  (Object.keys(now) as (keyof Measures)[]).every((name) => before[name] === now[name]) ? before : now;

/**
 * The lines of a long table that are in sight, or nearly, and how many pixels come after them. All lines of a kind have
 * one height, so that none has to be measured of its own.
 * @param kept a line that stays mounted wherever it is, because the focus is in it; -1 for none
 */
export function useVirtualLines(
  lines: readonly Line[],
  { top, rowHeight, groupHeight }: Measures,
  kept: number,
): { items: VirtualItem[]; after: number } {
  const virtualizer = useWindowVirtualizer<Line, HTMLElement>({
    items: lines,
    keyOf: ({ key }) => key,
    heightOf: (line) => (line !== undefined && 'group' in line ? groupHeight : rowHeight),
    heights: [rowHeight, groupHeight],
    top,
    kept,
    overscan: OVERSCAN,
  });
  const items = virtualizer.getVirtualItems();
  return { items, after: top + virtualizer.getTotalSize() - (items.at(-1)?.end ?? top) };
}
