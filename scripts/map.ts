// npm run map [-- --files]: measures how the code is laid out, so that two layouts can be compared. With `--files` it
// also lists what was counted.
import { parseArgs } from 'node:util';
import { type CalledFile, runAllocation } from './map/allocation.js';
import { migrationsUsedBy } from './map/migrations.js';
import { importCircles, largestFolder, readSources } from './map/sources.js';

const MOST_LINES = 300;
/**
 * Where `isAbandoned` belongs: the transports know whether a caller has given up, and the registry asks them before it
 * executes a command. Everywhere else it is only passed on, which a better layout would avoid.
 */
const HOMES_OF_IS_ABANDONED = ['src/registry/', 'src/routes/', 'src/mcp/', 'src/plugins/', 'src/app.ts'];

const RULES = `
A file counts with all its lines if the request calls any function of it, unless a request to the same route that is
refused before the handler calls one too, since such a file serves every request. Of the files that count, each function
or method that was called counts once if it has a name, as constructors have and most callbacks have not.`;

const { values: options } = parseArgs({ options: { files: { type: 'boolean', default: false } } });

const sources = await readSources();
const tooLong = sources.filter(({ lines }) => lines > MOST_LINES);
const largest = largestFolder(sources);
const circles = importCircles(sources);
const abandoned = sources
  .filter(({ path }) => !HOMES_OF_IS_ABANDONED.some((home) => path.startsWith(home)))
  .map(({ path, text }) => ({ path, times: text.match(/\bisAbandoned\b/g)?.length ?? 0 }))
  .filter(({ times }) => times > 0);
const run = await runAllocation();
const migrations = await migrationsUsedBy(run.statements);
const used = migrations.flatMap((migration) => migration.used);

printTable(
  ['one new allocation, `PUT /v1/projects/{project}/services/{service}`', ''],
  [
    ['files of src/ that it passes', run.files.length],
    ['lines of these files', sum(run.files.map(({ path }) => linesOf(path)))],
    ['named functions and methods called there', sum(run.files.map(({ functions }) => functions.length))],
    ['SQL statements sent', run.statements.length],
    ['migrations that define what the statements use', migrations.length],
    ['lines of these migrations', sum(migrations.map(({ lines }) => lines))],
    ['SQL functions that the statements use', used.filter(({ kind }) => kind === 'function').length],
    ['tables that the statements use', used.filter(({ kind }) => kind === 'table').length],
  ],
);
print(RULES);
printTable(
  ['all of src/', ''],
  [
    ['files', sources.length],
    ['lines', sum(sources.map(({ lines }) => lines))],
    [`files of more than ${MOST_LINES} lines`, tooLong.length],
    [`files directly in the largest folder, ${largest.folder}`, largest.files],
    ['`isAbandoned` outside the registry and the transports', sum(abandoned.map(({ times }) => times))],
    ['files in which it stands there', abandoned.length],
    ['groups of files that import one another in a circle', circles.length],
    ['files in these groups', circles.flat().length],
  ],
);

if (options.files) {
  printTable(['files passed', 'lines', 'functions called', ''], run.files.map(describe));
  printTable(['files that serve every request', 'lines', 'functions called', ''], run.leftOut.map(describe));
  printTable(
    ['migrations', 'lines', 'functions and tables used'],
    migrations.map(({ file, lines, used }) => [file, lines, used.map(({ name }) => name).join(', ')]),
  );
  printTable(
    ['where `isAbandoned` stands', 'times'],
    abandoned.map(({ path, times }) => [path, times]),
  );
  printTable(
    ['files that import one another'],
    circles.map((group) => [group.join(', ')]),
  );
  printTable(
    [`files of more than ${MOST_LINES} lines`, 'lines'],
    tooLong.map(({ path, lines }) => [path, lines]),
  );
}

function describe({ path, functions }: CalledFile): (string | number)[] {
  return [path, linesOf(path), functions.length, functions.join(', ')];
}

function linesOf(path: string): number {
  return sources.find((source) => source.path === path)?.lines ?? 0;
}

function sum(numbers: number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}

function printTable(columns: string[], rows: (string | number)[][]): void {
  if (rows.length === 0) return;
  print(`\n| ${columns.join(' | ')} |\n|${' --- |'.repeat(columns.length)}`);
  for (const row of rows) print(`| ${row.map((cell) => cell.toLocaleString('en')).join(' | ')} |`);
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
