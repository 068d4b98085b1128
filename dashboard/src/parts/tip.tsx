import { signal } from '@preact/signals';
import { useEffect, useLayoutEffect, useRef } from 'preact/hooks';
import { type Cell, STATES } from '../registry/cells.js';

const tip = signal<{ cell: Cell; beside: DOMRect } | null>(null);
const GAP_PX = 8;

/** Tells what a cell is, beside it; the same is in the cell's own label. */
export function showTip(element: HTMLElement | null, cell?: Cell): void {
  tip.value = element && cell ? { cell, beside: element.getBoundingClientRect() } : null;
}

export function Tip() {
  const box = useRef<HTMLDivElement>(null);
  const shown = tip.value;
  useLayoutEffect(() => {
    const element = box.current;
    if (!element || !shown) return;
    const { width, height } = element.getBoundingClientRect();
    const { left, top, bottom, width: cellWidth } = shown.beside;
    const x = left + cellWidth / 2 - width / 2;
    element.style.left = `${Math.max(GAP_PX, Math.min(x, document.documentElement.clientWidth - width - GAP_PX))}px`;
    element.style.top = `${top - height - GAP_PX > 0 ? top - height - GAP_PX : bottom + GAP_PX}px`;
  }, [shown]);
  useEffect(() => {
    const hide = () => showTip(null);
    const onKeyDown = ({ key }: KeyboardEvent) => key === 'Escape' && hide();
    window.addEventListener('scroll', hide, { passive: true });
    window.addEventListener('keydown', onKeyDown);
    return () => {
      window.removeEventListener('scroll', hide);
      window.removeEventListener('keydown', onKeyDown);
    };
  }, []);
  if (!shown) return null;
  const { port, state, allocation, reservation } = shown.cell;
  const who = allocation?.service ?? reservation?.service ?? reservation?.reservedBy;
  return (
    <div ref={box} class="tip" aria-hidden="true">
      <strong class="number">{port}</strong> {STATES[state].name}
      {who && (
        <div>
          {who}
          {allocation && allocation.environment !== 'default' && ` · ${allocation.environment}`}
        </div>
      )}
    </div>
  );
}
