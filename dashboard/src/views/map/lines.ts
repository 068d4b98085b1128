import { DECADE, type Decade } from './cells.js';

/** A line of the grid: a decade, or what stands for decades that are folded, or that can be folded again. */
export type Line =
  | { kind: 'decade'; decade: Decade }
  | { kind: 'fold'; from: number; to: number; excluded: number; starts: number[]; isOpen: boolean };

/**
 * The lines of a range. Decades that follow each other and that nobody has anything of are one, unless it was unfolded.
 */
export function linesOf(decades: readonly Decade[], unfolded: ReadonlySet<number>): Line[] {
  return runsOf(decades).flatMap((run): Line[] => {
    const lines = run.map((decade): Line => ({ kind: 'decade', decade }));
    if (run[0]?.isFoldable !== true) return lines;
    const starts = run.map(({ start }) => start);
    const isOpen = starts.some((start) => unfolded.has(start));
    const from = starts[0] as number;
    const to = (starts.at(-1) as number) + DECADE - 1;
    const excluded = run.reduce((sum, { cells }) => sum + cells.filter(isExcluded).length, 0);
    return [{ kind: 'fold', from, to, excluded, starts, isOpen }, ...(isOpen ? lines : [])];
  });
}

const isExcluded = ({ state }: Decade['cells'][number]) => state === 'excluded';

/** Adjacent decades that are all foldable, or none of which is. */
function runsOf(decades: readonly Decade[]): Decade[][] {
  const runs: Decade[][] = [];
  for (const decade of decades) {
    const run = runs.at(-1);
    if (run !== undefined && run[0]?.isFoldable === decade.isFoldable) run.push(decade);
    else runs.push([decade]);
  }
  return runs;
}

/** Where the focus is in the grid. On a fold the column is the one from which it was reached, so that it is kept. */
export interface Position {
  line: number;
  column: number;
}

/** What the element has as its `data-stop` that gets the focus at a position. */
export function stopAt(lines: readonly Line[], { line, column }: Position): string {
  const found = lines[line];
  if (found === undefined) return '';
  return found.kind === 'fold' ? `fold-${found.from}` : String(found.decade.start + column);
}

/** Where a stop is now; null if it is not there any more. */
export function positionOf(lines: readonly Line[], stop: string): Position | null {
  const [, fold, port] = /^(?:fold-(\d+)|(\d+))$/.exec(stop) ?? [];
  const line = lines.findIndex((one) =>
    one.kind === 'fold' ? one.from === Number(fold) : isWithin(one.decade.start, Number(port)),
  );
  return line < 0 ? null : { line, column: port === undefined ? 0 : Number(port) % DECADE };
}

const isWithin = (start: number, port: number) => start <= port && port < start + DECADE;

const LAST = DECADE - 1;
/** How far the page keys move. */
const PAGE = 100;

/** Where a key moves the focus to. At an edge it stays. Null for a key that does not move it. */
export function moved(lines: readonly Line[], at: Position, key: string, ctrl: boolean): Position | null {
  const onDecade = lines[at.line]?.kind === 'decade';
  const to = (line: number, column: number) => (line >= 0 && line < lines.length ? { line, column } : at);
  switch (key) {
    case 'Home':
      return ctrl ? to(0, 0) : to(at.line, 0);
    case 'End':
      return ctrl ? to(lines.length - 1, LAST) : to(at.line, LAST);
  }
  if (ctrl) return null;
  switch (key) {
    case 'ArrowUp':
      return to(at.line - 1, at.column);
    case 'ArrowDown':
      return to(at.line + 1, at.column);
    case 'ArrowLeft':
      return onDecade && at.column > 0 ? to(at.line, at.column - 1) : to(at.line - 1, LAST);
    case 'ArrowRight':
      return onDecade && at.column < LAST ? to(at.line, at.column + 1) : to(at.line + 1, 0);
    case 'PageUp':
      return to(lineAt(lines, firstPortOf(lines[at.line]) - PAGE), at.column);
    case 'PageDown':
      return to(lineAt(lines, firstPortOf(lines[at.line]) + PAGE), at.column);
  }
  return null;
}

const firstPortOf = (line: Line | undefined) => (line?.kind === 'decade' ? line.decade.start : (line?.from ?? 0));

/** The line that has a port, or else the first or the last one. */
function lineAt(lines: readonly Line[], port: number): number {
  const next = lines.findIndex((line) => firstPortOf(line) > port);
  return next < 0 ? lines.length - 1 : Math.max(0, next - 1);
}
