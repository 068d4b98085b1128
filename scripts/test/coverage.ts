import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import ts from 'typescript';
import { packageRoot } from '../../src/package-root.js';

const LINES_PERCENT = 90;

type Lines = { total: number; covered: number };

/**
 * Prints the sources of which the tests ran too few lines, and the share of all lines.
 * @param isCovered the sources that count
 * @returns whether that share is enough; tap itself demands all lines or nothing, and counts loaded files only
 */
export function reportCoverage(isCovered: (file: string) => boolean): boolean {
  const report = join(packageRoot, '.tap', 'report', 'coverage-summary.json');
  const summary: Record<string, { lines: Lines }> = JSON.parse(readFileSync(report, 'utf8'));
  const files = readdirSync(join(packageRoot, 'src'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts') && !name.endsWith('.d.ts'))
    .map((name) => join(packageRoot, 'src', name))
    .filter((file) => isCovered(relative(packageRoot, file)))
    .map((file) => ({ file: relative(packageRoot, file), lines: summary[file]?.lines ?? linesNeverLoaded(file) }));
  const sum = (count: (lines: Lines) => number) => files.reduce((total, { lines }) => total + count(lines), 0);
  const percent = (100 * sum((lines) => lines.covered)) / sum((lines) => lines.total);
  for (const { file, lines } of files) {
    const share = (100 * lines.covered) / (lines.total || 1);
    if (lines.total > 0 && share < LINES_PERCENT) process.stdout.write(`${share.toFixed(0).padStart(4)} %  ${file}\n`);
  }
  process.stdout.write(
    `Lines that the tests of this suite ran: ${percent.toFixed(2)} % (at least ${LINES_PERCENT} %)\n`,
  );
  return percent >= LINES_PERCENT;
}

/** A file that no test loaded counts as uncovered, unless it holds nothing but types. */
function linesNeverLoaded(file: string): Lines {
  const text = readFileSync(file, 'utf8');
  const options = { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2023, removeComments: true };
  const code = ts.transpileModule(text, { compilerOptions: options }).outputText.trim();
  return { total: code === 'export {};' ? 0 : text.split('\n').length, covered: 0 };
}
