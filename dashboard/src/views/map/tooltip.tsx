import { signal } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import { useEffect, useLayoutEffect, useRef } from 'preact/hooks';

/** What the tip says, and beside which element it stands. */
const shown = signal<{ beside: HTMLElement; content: ComponentChildren } | null>(null);
const GAP_PX = 8;

/** Shows a tip beside an element. Users of screen readers get the same from the element's label. */
export function showTip(beside: HTMLElement, content: ComponentChildren): void {
  shown.value = { beside, content };
}

export function hideTip(): void {
  shown.value = null;
}

/** The tip, if there is one. A view that shows tips has it once. */
export function Tip() {
  const box = useRef<HTMLDivElement>(null);
  const tip = shown.value;
  useLayoutEffect(() => {
    if (!box.current || !tip) return;
    const element = box.current;
    const place = () => placeBeside(element, tip.beside.getBoundingClientRect());
    place();
    // The focus may have scrolled the page to the element, so that the tip goes with it.
    addEventListener('scroll', place, { passive: true, capture: true });
    return () => removeEventListener('scroll', place, { capture: true });
  }, [tip]);
  useEffect(() => {
    const onKeyDown = ({ key }: KeyboardEvent) => key === 'Escape' && hideTip();
    addEventListener('keydown', onKeyDown);
    return () => {
      removeEventListener('keydown', onKeyDown);
      hideTip();
    };
  }, []);
  if (!tip) return null;
  return (
    <div ref={box} class="tip" aria-hidden="true">
      {tip.content}
    </div>
  );
}

/** Above the element where there is room, else below it. */
function placeBeside(box: HTMLElement, beside: DOMRect): void {
  const { width, height } = box.getBoundingClientRect();
  const x = beside.left + beside.width / 2 - width / 2;
  const right = document.documentElement.clientWidth - width - GAP_PX;
  const above = beside.top - height - GAP_PX;
  box.style.left = `${Math.max(GAP_PX, Math.min(x, right))}px`;
  box.style.top = `${above > 0 ? above : beside.bottom + GAP_PX}px`;
}
