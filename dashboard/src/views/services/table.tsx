import { useRef } from 'preact/hooks';
import { go } from '../../place.js';
import { type Column, FIRST_LINE } from './columns.js';
import { useFocusHandedOn, useKeptFocus } from './kept-focus.js';
import { DEFAULT_SORT, isGrouped, type Line, listedRows, shownColumns, shownLines, sorting } from './lines.js';
import { GroupRow, PortRow } from './rows.js';
import { SelectMany } from './select-many.js';
import { partSelected, select } from './selection.js';
import { useMeasures, useVirtualLines } from './virtual-lines.js';

/** The widths of what stands beside the columns: the checkbox, and the button with the actions. */
const SELECT_REM = 2.25;
const ACTIONS_REM = 2.75;

/**
 * Everything that is held or reserved. Only the lines in sight are in the document, so that thousands are as fast as
 * ten. Where the columns have no room beside each other, each row is folded into two lines.
 */
export function ServicesTable() {
  const box = useRef<HTMLDivElement>(null);
  const table = useRef<HTMLTableElement>(null);
  const lines = shownLines.value;
  const columns = shownColumns.value;
  const measures = useMeasures(box);
  const isFolded = measures.width < remInPixels(columns.reduce((sum, { rem }) => sum + rem, SELECT_REM + ACTIONS_REM));
  const keyInFocus = useKeptFocus(table);
  useFocusHandedOn(box);
  const kept = keyInFocus === null ? -1 : lines.findIndex(({ key }) => key === keyInFocus);
  const { items, after } = useVirtualLines(lines, measures, kept);
  const ordered = isFolded ? inFoldedOrder(columns) : columns;
  return (
    <div ref={box} class={isFolded ? 'services-table folded' : 'services-table'}>
      <table ref={table} aria-rowcount={lines.length + 1}>
        <caption class="visually-hidden">
          What is held and reserved{isGrouped.value && ', by project'}. The headers sort it.
        </caption>
        {!isFolded && <Widths columns={columns} />}
        <thead>
          <tr aria-rowindex={1}>
            <th scope="col" class="select">
              <SelectMany
                label="Select all that is shown"
                part={partSelected(listedRows.value)}
                onSelect={(isOn) => select(listedRows.value, isOn)}
              />
            </th>
            {columns.map((column) => (
              <Header key={column.id} column={column} />
            ))}
            <th scope="col" class="actions-column">
              <span class="visually-hidden">Actions</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {items.flatMap(({ index, start }, at) => [
            <Gap key={`gap-${at}`} px={start - (items[at - 1]?.end ?? measures.top)} />,
            lineAt(lines, index, ordered),
          ])}
          <Gap key="rest" px={after} />
        </tbody>
      </table>
    </div>
  );
}

function lineAt(lines: readonly Line[], index: number, columns: readonly Column[]) {
  const line = lines[index];
  if (line === undefined) return null;
  const { key } = line;
  const place = { id: key, rowIndex: index + 2, columns };
  return 'row' in line ? (
    <PortRow key={key} {...place} row={line.row} />
  ) : (
    <GroupRow key={key} {...place} group={line.group} />
  );
}

/** Stands for lines that are not in the document. */
function Gap({ px }: { px: number }) {
  if (px <= 0) return null;
  return (
    // biome-ignore lint/a11y/noAriaHiddenOnFocusable: nothing in it can be focused
    <tr aria-hidden="true" class="gap">
      <td style={{ height: `${px}px` }} />
    </tr>
  );
}

/** What is left over is shared by all. The columns stay where they are whatever is in them. */
function Widths({ columns }: { columns: readonly Column[] }) {
  return (
    <colgroup>
      <col style={{ width: `${SELECT_REM}rem` }} />
      {columns.map(({ id, rem }) => (
        <col key={id} style={{ width: `${rem}rem` }} />
      ))}
      <col style={{ width: `${ACTIONS_REM}rem` }} />
    </colgroup>
  );
}

function Header({ column: { id, name } }: { column: Column }) {
  const isSorted = sorting.value.id === id;
  const isDescending = isSorted && sorting.value.isDescending;
  const direction = isDescending ? 'descending' : 'ascending';
  const next = isSorted && !isDescending ? `-${id}` : id;
  return (
    <th scope="col" aria-sort={isSorted ? direction : 'none'}>
      <button type="button" class="sort" onClick={() => go({ sort: next === DEFAULT_SORT ? null : next })}>
        {name}
        <span class={isSorted ? `sort-mark ${direction}` : 'sort-mark'} aria-hidden="true" />
      </button>
    </th>
  );
}

const inFoldedOrder = (columns: readonly Column[]) => [
  ...columns.filter(({ id }) => FIRST_LINE.includes(id)),
  ...columns.filter(({ id }) => !FIRST_LINE.includes(id)),
];

const remInPixels = (rem: number) => rem * Number.parseFloat(getComputedStyle(document.documentElement).fontSize);
