import { useMemo } from 'preact/hooks';
import { describeCell, environmentOf, nameOf } from './cell-text.js';
import type { Cell, Decade } from './cells.js';
import type { Line } from './lines.js';

/** Up to so many names in a line: how wide the card has to be for them is in styles/views/map.css. */
const FEW = 3;
const SOME = 5;

interface DecadeProps {
  decade: Decade;
  /** The port at which the Tab key stops, if it is one of these. */
  stop: number | null;
  /** The port whose details are shown, if it is one of these. */
  shown: number | null;
}

/** Ten ports. Rendered again only if something in them has changed, because there are thousands of ports. */
export function DecadeLine({ decade, stop, shown }: DecadeProps) {
  return useMemo(
    () => (
      <tr class={`line ${crowdOf(decade)}`}>
        <th scope="row" class="line-name">
          {decade.start}
        </th>
        {decade.cells.map((cell) => (
          <PortCell key={cell.port} cell={cell} isStop={cell.port === stop} isShown={cell.port === shown} />
        ))}
      </tr>
    ),
    [decade, stop, shown],
  );
}

function crowdOf({ cells }: Decade): 'few' | 'some' | 'many' {
  const names = cells.filter(isNamed).length;
  if (names <= FEW) return 'few';
  return names <= SOME ? 'some' : 'many';
}

/** What the filters leave out has no name, which leaves more room to the others. */
const isNamed = ({ holder, isDim }: Cell) => holder !== null && !isDim;

function PortCell({ cell, isStop, isShown }: { cell: Cell; isStop: boolean; isShown: boolean }) {
  const { port, state, isDim } = cell;
  const name = isNamed(cell) ? nameOf(cell) : null;
  return (
    <td
      // biome-ignore lint/a11y/noNoninteractiveElementToInteractiveRole: see the table
      role="gridcell"
      class={`cell ${state}${name === null ? '' : ' named'}${isDim ? ' dim' : ''}`}
      data-stop={port}
      tabIndex={isStop ? 0 : -1}
      aria-selected={isShown}
      aria-label={describeCell(cell)}
    >
      {name !== null && (
        <bdi class="cell-name" data-environment={environmentOf(cell)}>
          {name}
        </bdi>
      )}
    </td>
  );
}

interface FoldProps {
  line: Line & { kind: 'fold' };
  isStop: boolean;
  onToggle(): void;
}

/** The line in place of decades that nobody has anything of, or above them once they are unfolded. */
export function FoldLine({ line: { from, to, excluded, isOpen }, isStop, onToggle }: FoldProps) {
  const free = to - from + 1 - excluded;
  return (
    <tr class="fold">
      <td colSpan={11}>
        <button
          type="button"
          data-stop={`fold-${from}`}
          tabIndex={isStop ? 0 : -1}
          aria-expanded={isOpen}
          onClick={onToggle}
        >
          {from}–{to}
          {excluded === 0 ? ' free' : `: ${free} free, ${excluded} excluded`}
        </button>
      </td>
    </tr>
  );
}
