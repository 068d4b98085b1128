import { useMemo, useRef, useState } from 'preact/hooks';
import { makeTextVisible } from '../../../src/input/visible.js';
import type { Range } from '../registry/api.js';
import { type Cell, STATES } from '../registry/cells.js';
import { space } from '../registry/registry.js';
import { environment, isFiltered, matches, query, selected, selectPort, stateFilter } from '../registry/view.js';
import { showTooltip } from './tooltip.js';

const ROW = 10;
const BLOCK = 100;

/** How many ports each key moves the focus by. Home and End, which stay in the row, are handled in `nextPort`. */
const STEPS: Record<string, number> = {
  ArrowLeft: -1,
  ArrowRight: 1,
  ArrowUp: -ROW,
  ArrowDown: ROW,
  PageUp: -BLOCK,
  PageDown: BLOCK,
};

/**
 * The ports of a range, ten in a row. The Tab key stops once in it, and the arrow keys move within it (the ARIA grid
 * pattern). A shared range is shown in blocks of a hundred, up to the last block in which a port is not free.
 */
export function PortGrid({ range, cells, project }: { range: Range; cells: Cell[]; project: string }) {
  const [active, setActive] = useState(range.startPort);
  const [all, setAll] = useState(false);
  const grid = useRef<HTMLTableElement>(null);
  const end = all ? cells.length : usedLength(cells);
  const blocks = Array.from({ length: end / BLOCK }, (_, i) => cells.slice(i * BLOCK, (i + 1) * BLOCK));
  const label = `Ports ${range.startPort} to ${range.endPort} of ${project}`;

  const onKeyDown = (event: KeyboardEvent) => {
    const port = portOf(event.target);
    if (port === null || event.altKey || event.metaKey) return;
    const isChoice = event.key === 'Enter' || event.key === ' ';
    const next = isChoice ? null : nextPort(event, port, range.startPort, end);
    if (!isChoice && next === null) return;
    event.preventDefault();
    if (isChoice) selectPort(port);
    else grid.current?.querySelector<HTMLElement>(`[data-port="${next}"]`)?.focus();
  };
  const onFocus = (event: FocusEvent) => {
    const port = portOf(event.target);
    if (port === null) return;
    setActive(port);
    showTooltip(event.target as HTMLElement, cells[port - range.startPort]);
  };
  const onPointer = (event: PointerEvent) => {
    const port = portOf(event.target);
    if (port === null) showTooltip(null);
    else if (event.pointerType === 'mouse') showTooltip(event.target as HTMLElement, cells[port - range.startPort]);
  };

  return (
    <>
      <table
        ref={grid}
        class="grid"
        // biome-ignore lint/a11y/noNoninteractiveElementToInteractiveRole: a grid is a table whose cells take the focus
        role="grid"
        aria-label={label}
        aria-description="Arrow keys move, Enter shows the port."
        aria-readonly="true"
        onKeyDown={onKeyDown}
        onFocusIn={onFocus}
        onFocusOut={() => showTooltip(null)}
        onPointerOver={onPointer}
        onPointerLeave={() => showTooltip(null)}
        onClick={(event) => {
          const port = portOf(event.target);
          if (port !== null) selectPort(port, space.value, false); // the focus stays here, for the arrow keys
        }}
      >
        {blocks.map((block) => (
          <Block key={block[0]?.port} cells={block} active={active} />
        ))}
      </table>
      {usedLength(cells) < cells.length && (
        <button type="button" class="more" aria-expanded={all} onClick={() => setAll(!all)}>
          {all ? 'Hide' : 'Show'} {range.startPort + usedLength(cells)}–{range.endPort}, all free
        </button>
      )}
    </>
  );
}

function Block({ cells, active }: { cells: Cell[]; active: number }) {
  const first = cells[0]?.port ?? 0;
  const has = (port: number | null) => (port !== null && port >= first && port < first + BLOCK ? port : null);
  const chosen = has(selected.value?.port ?? null);
  const stop = has(active);
  const filter = isFiltered.value ? `${query.value}\n${environment.value}\n${stateFilter.value}` : '';
  const contents = cells.map(
    ({ state, allocation, reservation, excluded }) =>
      `${state}${allocation?.updatedAt}${reservation?.id}${excluded ?? ''}`,
  );
  // Rendered again only if something in this block has changed, because there are many blocks and refreshes.
  return useMemo(
    () => (
      <tbody class="block">
        {Array.from({ length: BLOCK / ROW }, (_, row) => (
          <tr class="row" key={row}>
            <th scope="row" class="row-name">
              {first + row * ROW}
            </th>
            {cells.slice(row * ROW, (row + 1) * ROW).map((cell) => (
              <td
                key={cell.port}
                // biome-ignore lint/a11y/noNoninteractiveElementToInteractiveRole: see the table
                role="gridcell"
                class={`cell ${cell.state}${filter && !matches(cell) ? ' dim' : ''}`}
                data-port={cell.port}
                tabIndex={cell.port === stop ? 0 : -1}
                aria-selected={cell.port === chosen}
                aria-label={describeCell(cell)}
              />
            ))}
          </tr>
        ))}
      </tbody>
    ),
    [contents.join(), chosen, stop, filter],
  );
}

/** `3104, in use, api, environment staging`. */
export function describeCell({ port, state, allocation, reservation, excluded }: Cell): string {
  const parts = [String(port), STATES[state].name.toLowerCase()];
  if (allocation) parts.push(allocation.service);
  if (allocation && allocation.environment !== 'default') parts.push(`environment ${allocation.environment}`);
  if (!allocation && reservation)
    parts.push(reservation.service ?? makeTextVisible(reservation.reservedBy ?? 'no service named'));
  if (state === 'excluded' && excluded !== null) parts.push(makeTextVisible(excluded));
  return parts.join(', ');
}

/** How many cells are shown at first: whole blocks, at least one, up to the last port that is not free. */
function usedLength(cells: Cell[]): number {
  const last = cells.findLastIndex(({ state }) => state !== 'free');
  return (Math.floor(Math.max(last, 0) / BLOCK) + 1) * BLOCK;
}

/** The port that a key moves the focus to. At an edge the focus stays. Null for a key that does not move it. */
function nextPort({ key, ctrlKey }: KeyboardEvent, port: number, start: number, length: number): number | null {
  const index = port - start;
  const column = index % ROW;
  if (key === 'Home') return ctrlKey ? start : port - column;
  if (key === 'End') return ctrlKey ? start + length - 1 : port - column + ROW - 1;
  const step = STEPS[key];
  if (step === undefined || ctrlKey) return null;
  const next = index + step;
  return next < 0 || next >= length ? port : start + next;
}

function portOf(target: EventTarget | null): number | null {
  const port = target instanceof HTMLElement ? target.dataset['port'] : undefined;
  return port === undefined ? null : Number(port);
}
