import {
  defaultRangeExtractor,
  observeWindowOffset,
  observeWindowRect,
  Virtualizer,
  type VirtualizerOptions,
  windowScroll,
} from '@tanstack/virtual-core';
import { useCallback, useLayoutEffect, useReducer, useState } from 'preact/hooks';

interface Options<Item> {
  items: readonly Item[];
  keyOf(item: Item): string;
  /** In pixels, how high an item is, or is likely to be until it was measured. */
  heightOf(item: Item | undefined): number;
  /** What changes the heights of all items. */
  heights?: readonly unknown[];
  /** In pixels, where the items begin on the page. */
  top: number;
  /** An item that stays in the document wherever it is, because the focus is in it; -1 for none. */
  kept: number;
  /** How many above and below the window are in the document too, so that fast scrolling shows no gaps. */
  overscan: number;
}

/** Tells which of many items are in sight, or nearly, on a page that scrolls as a whole. */
export function useWindowVirtualizer<Item, Shown extends HTMLElement>({
  items,
  keyOf,
  heightOf,
  heights = [],
  top,
  kept,
  overscan,
}: Options<Item>): Virtualizer<Window, Shown> {
  const [, renderAgain] = useReducer((times: number) => times + 1, 0);
  // A function that is new makes the virtualizer lay out all items again.
  const getItemKey = useCallback(
    (index: number) => {
      const item = items[index];
      return item === undefined ? index : keyOf(item);
    },
    [items, ...heights],
  );
  const options: VirtualizerOptions<Window, Shown> = {
    count: items.length,
    scrollMargin: top,
    overscan,
    getItemKey,
    estimateSize: (index) => heightOf(items[index]),
    getScrollElement: () => window,
    observeElementRect: observeWindowRect,
    observeElementOffset: observeWindowOffset,
    scrollToFn: windowScroll,
    initialRect: { width: innerWidth, height: innerHeight },
    initialOffset: () => scrollY,
    rangeExtractor: (range) => withKept(defaultRangeExtractor(range), kept, items.length),
    onChange: () => renderAgain(undefined),
  };
  const [virtualizer] = useState(() => new Virtualizer(options));
  virtualizer.setOptions(options);
  useLayoutEffect(() => virtualizer._didMount(), []);
  useLayoutEffect(() => virtualizer._willUpdate());
  return virtualizer;
}

function withKept(shown: number[], kept: number, count: number): number[] {
  if (kept < 0 || kept >= count || shown.includes(kept)) return shown;
  return [...shown, kept].sort((a, b) => a - b);
}
