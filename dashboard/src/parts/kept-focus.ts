import type { RefObject } from 'preact';
import { useLayoutEffect } from 'preact/hooks';

/**
 * Where the item of a list goes that has the focus, as the row of something released, the focus goes to the item that
 * takes its place, or else to the content of the page. The browser would take it back to the beginning.
 * @param selector of the items
 */
export function useKeptFocus(list: RefObject<HTMLElement | null>, selector: string): void {
  const items = () => [...(list.current?.querySelectorAll(selector) ?? [])];
  // As it is before this rendering changes the list.
  const focused = document.activeElement;
  const isHere = list.current?.contains(focused) ?? false;
  const index = isHere ? items().findIndex((item) => item.contains(focused)) : -1;
  useLayoutEffect(() => {
    if (index < 0 || focused?.isConnected) return;
    const next = items()
      .at(Math.min(index, items().length - 1))
      ?.querySelector<HTMLElement>('a, button, input');
    (next ?? document.querySelector('main'))?.focus({ preventScroll: true });
  });
}
