// Compiles the tests and runs them with tap. After the whole suite (no file was named), also demands that enough of src/ was run: tap's own
// rule is all or nothing.
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { pathToFileURL } from 'node:url';
import ts from 'typescript';
import { packageRoot } from '../src/package-root.js';

const LINES_PERCENT = 90;

/** What takes longer, or needs more than Node and npm: scripts of their own run these. */
const APART = ['abuse', 'browser', 'contract-client', 'crash', 'deploy', 'failover', 'long', 'monitoring'];

const args = process.argv.slice(2);
const whole = args.length === 0;
// Of a part of the suite the coverage says nothing.
const WITHOUT_COVERAGE = [
  '--disable-coverage',
  `--node-arg=--import=${pathToFileURL(join(packageRoot, 'test/helpers/plain-children.mjs'))}`,
];
const options = whole ? wholeSuite() : [...WITHOUT_COVERAGE, ...args];
process.exitCode = run('tsc', '-p', join(packageRoot, 'tsconfig.test.json')) || run('tap', ...options.map(compiled));
if (process.exitCode === 0 && whole) checkCoverage();

function run(command: string, ...args: string[]): number {
  return spawnSync(command, args, { stdio: 'inherit', shell: process.platform === 'win32' }).status ?? 1;
}

/** By their sources: a test that was renamed is still there as it was compiled. */
function wholeSuite(): string[] {
  return readdirSync(join(packageRoot, 'test'), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.test.ts') && !APART.some((folder) => file.startsWith(join(folder, sep))))
    .map((file) => join('test', file))
    .sort();
}

/** `test/config.test.ts` is run as `dist/test/config.test.js`. */
function compiled(arg: string): string {
  return arg.endsWith('.test.ts') ? join('dist', arg.replace(/\.ts$/, '.js')) : arg;
}

type Lines = { total: number; covered: number };

function checkCoverage(): void {
  const report = join(packageRoot, '.tap', 'report', 'coverage-summary.json');
  const summary: Record<string, { lines: Lines }> = JSON.parse(readFileSync(report, 'utf8'));
  const files = readdirSync(join(packageRoot, 'src'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts') && !name.endsWith('.d.ts'))
    .map((name) => join(packageRoot, 'src', name))
    .map((file) => ({ file: relative(packageRoot, file), lines: summary[file]?.lines ?? linesNeverLoaded(file) }));
  const sum = (count: (lines: Lines) => number) => files.reduce((total, { lines }) => total + count(lines), 0);
  const percent = (100 * sum((lines) => lines.covered)) / sum((lines) => lines.total);
  for (const { file, lines } of files) {
    const share = (100 * lines.covered) / (lines.total || 1);
    if (lines.total > 0 && share < LINES_PERCENT) process.stdout.write(`${share.toFixed(0).padStart(4)} %  ${file}\n`);
  }
  process.stdout.write(`Lines of src/ that the tests ran: ${percent.toFixed(2)} % (at least ${LINES_PERCENT} %)\n`);
  if (percent < LINES_PERCENT) process.exitCode = 1;
}

/** A file that no test loaded counts as uncovered, unless it holds nothing but types. */
function linesNeverLoaded(file: string): Lines {
  const text = readFileSync(file, 'utf8');
  const options = { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2023, removeComments: true };
  const code = ts.transpileModule(text, { compilerOptions: options }).outputText.trim();
  return { total: code === 'export {};' ? 0 : text.split('\n').length, covered: 0 };
}
