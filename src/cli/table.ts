import { makeVisible } from '../input/visible.js';

const GAP = '  ';
const PRINTABLE = /^[\x20-\x7e]*$/;

/**
 * Lays rows out in columns. Numbers are aligned to the right. Texts may come from other programs or other users, so
 * that characters that are not seen are written out.
 */
export function formatTable(head: readonly string[], rows: readonly (readonly (string | number | null)[])[]): string {
  const cells = [head, ...rows].map((row) => row.map(formatCell));
  const widths = head.map((_, column) => Math.max(...cells.map((row) => (row[column] as string).length)));
  const isNumber = head.map((_, column) => rows.some((row) => typeof row[column] === 'number'));
  return cells
    .map((row) =>
      row
        .map((cell, column) => cell[isNumber[column] ? 'padStart' : 'padEnd'](widths[column] as number))
        .join(GAP)
        .trimEnd(),
    )
    .join('\n');
}

function formatCell(value: string | number | null): string {
  const text = String(value ?? '-');
  return PRINTABLE.test(text) ? text : makeVisible(text);
}
