import { useEffect, useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks';
import { showPort, showPortAndKeepFocus } from '../../port/show.js';
import { chosen, space } from '../../registry/filters.js';
import { isIn, type Spot } from '../../registry/port-space.js';
import { CellTip } from './cell-text.js';
import { type Cell, DECADE, type RangeMap } from './cells.js';
import { DecadeLine, FoldLine } from './grid-lines.js';
import { type Line, linesOf, moved, positionOf, stopAt } from './lines.js';
import { hideTip, showTip } from './tooltip.js';

const HOW_TO =
  'The arrow keys move, Enter shows the port. They stop at a line of free ports, which Enter unfolds and folds.';

/**
 * The ports of a range, ten in a line. The Tab key stops once in it, and the arrow keys move within it (the ARIA grid
 * pattern). Decades that nobody has anything of are folded into a line that the arrow keys stop at like at a port.
 */
export function PortGrid({ range, decades }: RangeMap) {
  const [stop, setStop] = useState(String(range.startPort));
  const [unfolded, setUnfolded] = useState<ReadonlySet<number>>(new Set());
  const grid = useRef<HTMLTableElement>(null);
  const column = useRef(0);
  const shown = portIn(range, chosen.value);
  const lines = useMemo(() => linesOf(decades, unfolded), [decades, unfolded]);
  const current = positionOf(lines, stop) === null ? stopAt(lines, { line: 0, column: 0 }) : stop;

  useEffect(() => {
    const fold = lines.find((line): line is Fold => line.kind === 'fold' && !line.isOpen && hasPort(line, shown));
    if (fold !== undefined) setUnfolded(toggled(unfolded, fold));
  }, [shown]);

  // What has the focus can be gone after a change, as a fold in which somebody has got a port.
  const hadFocus = grid.current?.contains(document.activeElement) === true;
  useLayoutEffect(() => {
    const element = grid.current;
    if (!hadFocus || !element || element.contains(document.activeElement)) return;
    element.querySelector<HTMLElement>('[tabindex="0"]')?.focus();
  }, [lines]);

  const cellOf = (target: EventTarget | null) => findCell(decades, target);
  const onKeyDown = (event: KeyboardEvent) => {
    const at = positionOf(lines, stopOf(event.target));
    if (at === null || event.altKey || event.metaKey) return;
    const cell = cellOf(event.target);
    // On a fold these keys press its button.
    if (event.key === 'Enter' || event.key === ' ') {
      if (cell === null) return;
      event.preventDefault();
      return showPort(cell);
    }
    const next = moved(lines, { ...at, column: cell === null ? column.current : at.column }, event.key, event.ctrlKey);
    if (next === null) return;
    event.preventDefault();
    column.current = next.column;
    grid.current?.querySelector<HTMLElement>(`[data-stop="${stopAt(lines, next)}"]`)?.focus();
  };
  const onFocus = ({ target }: FocusEvent) => {
    const focused = stopOf(target);
    if (focused !== '') setStop(focused);
    const cell = cellOf(target);
    if (cell === null) return hideTip();
    column.current = cell.port % DECADE;
    showTip(target as HTMLElement, <CellTip cell={cell} />);
  };
  const onPointer = ({ target, pointerType }: PointerEvent) => {
    const cell = cellOf(target);
    if (cell === null) hideTip();
    else if (pointerType === 'mouse') showTip(elementOf(target) as HTMLElement, <CellTip cell={cell} />);
  };

  return (
    <table
      ref={grid}
      class="grid"
      // biome-ignore lint/a11y/noNoninteractiveElementToInteractiveRole: a grid is a table whose cells take the focus
      role="grid"
      aria-label={`Ports ${range.startPort} to ${range.endPort} of ${range.project}`}
      aria-description={HOW_TO}
      aria-readonly="true"
      onKeyDown={onKeyDown}
      onFocusIn={onFocus}
      onFocusOut={hideTip}
      onPointerOver={onPointer}
      onPointerLeave={hideTip}
      onClick={({ target }) => {
        const cell = cellOf(target);
        if (cell !== null) showPortAndKeepFocus(cell); // for the arrow keys
      }}
    >
      <tbody>
        {lines.map((line) =>
          line.kind === 'fold' ? (
            <FoldLine
              key={`fold-${line.from}`}
              line={line}
              isStop={current === `fold-${line.from}`}
              onToggle={() => setUnfolded(toggled(unfolded, line))}
            />
          ) : (
            <DecadeLine
              key={line.decade.start}
              decade={line.decade}
              stop={portWithin(line.decade.start, current)}
              shown={portWithin(line.decade.start, shown)}
            />
          ),
        )}
      </tbody>
    </table>
  );
}

type Fold = Line & { kind: 'fold' };

const hasPort = ({ from, to }: Fold, port: number | null) => port !== null && from <= port && port <= to;

function toggled(unfolded: ReadonlySet<number>, { starts, isOpen }: Fold): ReadonlySet<number> {
  const next = new Set(unfolded);
  for (const start of starts) {
    if (isOpen) next.delete(start);
    else next.add(start);
  }
  return next;
}

function portIn({ startPort, endPort }: RangeMap['range'], spot: Spot | null): number | null {
  if (spot === null || !isIn(space.value, spot)) return null;
  return startPort <= spot.port && spot.port <= endPort ? spot.port : null;
}

/** A port, for the decade that has it; null for all others, so that they are not rendered for it. */
function portWithin(start: number, port: string | number | null): number | null {
  const found = Number(port ?? Number.NaN);
  return start <= found && found < start + DECADE ? found : null;
}

const elementOf = (target: EventTarget | null) =>
  target instanceof Element ? target.closest<HTMLElement>('[data-stop]') : null;

const stopOf = (target: EventTarget | null) => elementOf(target)?.dataset['stop'] ?? '';

function findCell(decades: RangeMap['decades'], target: EventTarget | null): Cell | null {
  const port = Number(stopOf(target) || Number.NaN);
  const decade = decades.find(({ start }) => start <= port && port < start + DECADE);
  return decade?.cells[port % DECADE] ?? null;
}
