import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { join, relative } from 'node:path';
import ts from 'typescript';
import { packageRoot } from '../../src/package-root.js';

const LINES_PERCENT = 90;
const FOLDER = join(packageRoot, 'coverage');
const RECORDS = join(FOLDER, 'records');

/** The command that makes the report of which `reportCoverage` reads. */
export const COVERAGE_REPORT = [
  'c8',
  'report',
  `--temp-directory=${RECORDS}`,
  `--reports-dir=${FOLDER}`,
  '--reporter=json-summary',
  '--include=dist/src/**',
  '--include=dist/bin/**',
] as const;

/** @returns the environment in which a process, and every process that it starts, records which code it ran */
export function recordCoverage(): { NODE_V8_COVERAGE: string } {
  rmSync(RECORDS, { recursive: true, force: true });
  return { NODE_V8_COVERAGE: RECORDS };
}

type Lines = { total: number; covered: number };

/**
 * Prints the sources of which the tests ran too few lines, and the share of all lines.
 * @param isCovered the sources that count
 * @returns whether that share is enough; c8 itself would count loaded files only
 */
export function reportCoverage(isCovered: (file: string) => boolean): boolean {
  const report = join(FOLDER, 'coverage-summary.json');
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
