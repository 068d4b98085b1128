import { signal } from '@preact/signals';
import { useEffect, useLayoutEffect, useRef } from 'preact/hooks';
import { type Cell, STATES } from '../registry/cells.js';
import { FreeText } from './free-text.js';

const tooltip = signal<{ cell: Cell; beside: DOMRect } | null>(null);
const GAP_PX = 8;

/** Shows a cell's port, state and service next to the cell. Screen readers get the same from the cell's label. */
export function showTooltip(element: HTMLElement | null, cell?: Cell): void {
  tooltip.value = element && cell ? { cell, beside: element.getBoundingClientRect() } : null;
}

export function Tooltip() {
  const box = useRef<HTMLDivElement>(null);
  const shown = tooltip.value;
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
    const hide = () => showTooltip(null);
    const onKeyDown = ({ key }: KeyboardEvent) => key === 'Escape' && hide();
    window.addEventListener('scroll', hide, { passive: true });
    window.addEventListener('keydown', onKeyDown);
    return () => {
      window.removeEventListener('scroll', hide);
      window.removeEventListener('keydown', onKeyDown);
    };
  }, []);
  if (!shown) return null;
  const { port, state, allocation, reservation, excluded } = shown.cell;
  const who = allocation?.service ?? reservation?.service ?? reservation?.reservedBy;
  return (
    <div ref={box} class="tip" aria-hidden="true">
      <strong class="number">{port}</strong> {STATES[state].name}
      {who && (
        <div>
          <FreeText>{who}</FreeText>
          {allocation && allocation.environment !== 'default' && ` · ${allocation.environment}`}
        </div>
      )}
      {state === 'excluded' && excluded !== null && (
        <div>
          <FreeText>{excluded}</FreeText>
        </div>
      )}
    </div>
  );
}
