import type { RefObject } from 'preact';
import { useLayoutEffect, useState } from 'preact/hooks';
import { useWindowVirtualizer } from '../../window-virtualizer.js';
import { Finding } from './finding.js';
import type { Found } from './found.js';

/** Findings above and below the window that are in the document too, so that fast scrolling shows no gaps. */
const OVERSCAN = 10;
/** How high a finding is until it was measured: those with more to say take more lines. */
const LIKELY_PX = 60;

interface Props {
  list: RefObject<HTMLUListElement | null>;
  found: readonly Found[];
  isSelectable: boolean;
}

/**
 * The items of a list of findings that is so long that the page would stall if all of them were in the document. Only
 * those in sight are, and the one that has the focus.
 */
export function LongList({ list, found, isSelectable }: Props) {
  const top = useTopOf(list);
  const focused = document.activeElement?.closest<HTMLElement>('li[data-index]');
  const kept = focused && list.current?.contains(focused) ? Number(focused.dataset['index']) : -1;
  const virtualizer = useWindowVirtualizer<Found, HTMLLIElement>({
    items: found,
    keyOf: ({ key }) => key,
    heightOf: () => LIKELY_PX,
    top,
    kept,
    overscan: OVERSCAN,
  });
  const items = virtualizer.getVirtualItems();
  const after = top + virtualizer.getTotalSize() - (items.at(-1)?.end ?? top);
  return (
    <>
      {items.flatMap(({ index, start }, at) => {
        const one = found[index];
        if (one === undefined) return [];
        const place = { index, count: found.length, measure: virtualizer.measureElement };
        return [
          <Gap key={`gap-${at}`} px={start - (items[at - 1]?.end ?? top)} />,
          <Finding key={one.key} found={one} isSelectable={isSelectable} place={place} />,
        ];
      })}
      <Gap key="rest" px={after} />
    </>
  );
}

/** Stands for findings that are not in the document. */
const Gap = ({ px }: { px: number }) => (px > 0 ? <li aria-hidden="true" style={{ height: `${px}px` }} /> : null);

/** Where the list begins on the page. What stands above it grows and shrinks, and the page with it. */
function useTopOf(list: RefObject<HTMLElement | null>): number {
  const [top, setTop] = useState(0);
  useLayoutEffect(() => {
    const measure = () => setTop(Math.round((list.current?.getBoundingClientRect().top ?? 0) + scrollY));
    const observer = new ResizeObserver(measure);
    observer.observe(document.body);
    measure();
    return () => observer.disconnect();
  }, []);
  return top;
}
