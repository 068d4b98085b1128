import type { ComponentChildren } from 'preact';
import { useRef } from 'preact/hooks';
import { formatCount } from '../format.js';
import { addressWith, go, parameter } from '../place.js';
import { useKeptFocus } from './kept-focus.js';
import { Link } from './links.js';

export interface Column<T> {
  /** As the address names it when the table is sorted by it. */
  id: string;
  name: string;
  /** By what the table can be sorted; rows for which it is null come last. Without it, the column cannot be chosen. */
  sortBy?: (row: T) => string | number | null;
  isNumber?: boolean;
  /** The name is only read to users of screen readers, as that of a column of buttons. */
  isNameHidden?: boolean;
  cell(row: T): ComponentChildren;
}

interface Props<T> {
  /** What the table lists, for users of screen readers. */
  caption: string;
  /** The first one names its row. */
  columns: readonly Column<T>[];
  /** In the order in which they are shown where none is chosen. Null until they are read. */
  rows: readonly T[] | null;
  keyOf(row: T): string | number;
  /** Shown in place of the table where there are no rows: why there are none, and what makes one. */
  empty: ComponentChildren;
  /** Why the rows could not be read. Those from before stay on the screen. */
  error?: string | null;
}

/** More rows are shown when somebody asks for them, because thousands would make each change slow. */
const MOST_ROWS = 300;

/** `age`, or `-age` for the other way round. */
const sort = parameter('sort');
const rowsWanted = parameter('rows');

/**
 * A table for lists of up to some hundreds of rows. By which column it is sorted stands in the address, so that a view
 * has one that can be sorted. Where it is narrow, each row becomes lines with the names of their columns.
 */
export function DataTable<T>({ caption, columns, rows, keyOf, empty, error = null }: Props<T>) {
  const body = useRef<HTMLTableSectionElement>(null);
  useKeptFocus(body, 'tr');
  return (
    <div class="data-table">
      <div role="alert">{error !== null && <p class="refusal">{error}</p>}</div>
      {rows === null && error === null && <p class="quiet">Reading…</p>}
      {rows?.length === 0 && <div class="nothing">{empty}</div>}
      {rows !== null && rows.length > 0 && (
        <table>
          <caption class="visually-hidden">{caption}</caption>
          <thead>
            <tr>
              {columns.map((column) => (
                <Header key={column.id} column={column} />
              ))}
            </tr>
          </thead>
          <tbody ref={body}>
            {shownOf(sorted(rows, columns)).map((row) => (
              <tr key={keyOf(row)}>
                {columns.map((column, index) => (
                  <Cell key={column.id} column={column} row={row} isFirst={index === 0} />
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      )}
      {rows !== null && shownOf(rows).length < rows.length && (
        <p class="quiet">
          These are the first {formatCount(MOST_ROWS)} of {formatCount(rows.length)}.{' '}
          <Link to={addressWith({ rows: 'all' })}>Show all</Link>
        </p>
      )}
    </div>
  );
}

const shownOf = <T,>(rows: readonly T[]) => (rowsWanted.value === 'all' ? rows : rows.slice(0, MOST_ROWS));

function Header<T>({ column: { id, name, sortBy, isNumber, isNameHidden } }: { column: Column<T> }) {
  const className = [sortBy && 'sortable', isNumber && 'numeric'].filter(Boolean).join(' ');
  if (sortBy === undefined) {
    return (
      <th scope="col" class={className}>
        <span class={isNameHidden ? 'visually-hidden' : undefined}>{name}</span>
      </th>
    );
  }
  const direction = directionOf(id);
  const next = { ascending: `-${id}`, descending: null, none: id }[direction];
  return (
    <th scope="col" class={className} aria-sort={direction}>
      <button type="button" class="sort" onClick={() => go({ sort: next })}>
        {name}
        <span class={`sort-mark ${direction}`} aria-hidden="true" />
      </button>
    </th>
  );
}

function directionOf(id: string): 'ascending' | 'descending' | 'none' {
  if (sort.value === id) return 'ascending';
  return sort.value === `-${id}` ? 'descending' : 'none';
}

function Cell<T>({ column, row, isFirst }: { column: Column<T>; row: T; isFirst: boolean }) {
  const { name, isNumber, isNameHidden } = column;
  const common = { class: isNumber ? 'numeric' : undefined, 'data-label': isNameHidden ? undefined : name };
  const content = column.cell(row);
  if (isFirst) {
    return (
      <th scope="row" {...common}>
        {content}
      </th>
    );
  }
  // Where rows are folded into lines, those that say nothing are left out: the style does not show empty cells.
  return <td {...common}>{content}</td>;
}

function sorted<T>(rows: readonly T[], columns: readonly Column<T>[]): readonly T[] {
  const isDescending = sort.value.startsWith('-');
  const { sortBy } = columns.find(({ id }) => id === sort.value.replace(/^-/, '')) ?? {};
  if (sortBy === undefined) return rows;
  return [...rows].sort((a, b) => {
    const [one, other] = [sortBy(a), sortBy(b)];
    if (one === null || other === null) return Number(one === null) - Number(other === null);
    return isDescending ? compare(other, one) : compare(one, other);
  });
}

const compare = (a: string | number, b: string | number): number =>
  typeof a === 'number' && typeof b === 'number'
    ? a - b
    : String(a).localeCompare(String(b), undefined, { numeric: true });
