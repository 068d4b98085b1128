// npm test -- soak --for=1h: mixed load on two instances over one PostgreSQL (fsync on), which is killed and started
// again in the middle of every window of time. Prints a line for each window. Exits with 1 if an answer was wrong, or
// if memory, descriptors or latency grew from the first half to the second.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { findFreePort, type PostgresServer, startPostgres } from '../../scripts/postgres.js';
import { loadConfig } from '../../src/config.js';
import { connectDatabase, type Database } from '../../src/database/connect.js';
import { migrate } from '../../src/database/migrate.js';
import { packageRoot } from '../../src/package-root.js';
import { checkHistory } from '../helpers/history/check.js';
import type { PortSpace } from '../helpers/history/operations.js';
import { Recorder } from '../helpers/history/recorder.js';
import { Traffic } from '../helpers/history/traffic.js';
import { findViolations } from '../helpers/registry.js';

const WINDOW_MS = 60_000;
const OUTAGE_MS = 2000;
const PROJECTS = 4;
const CALLERS_PER_PROJECT = 4;
const PAUSE_MS = 10;
/** How much a median may grow, since a machine also does other things. */
const MAX_GROWTH = 1.3;
const MAX_MORE_DESCRIPTORS = 20;
const quiet = { info() {}, warn() {} };

interface Window {
  answered: number;
  /** Calls that were refused or whose outcome is unknown, because the database was unavailable. */
  failed: number;
  p50: number;
  p99: number;
  /** Of both instances together. */
  residentMiB: number;
  descriptors: number;
  violations: string[];
}

class Instance {
  private constructor(
    readonly url: string,
    readonly process: ChildProcess,
  ) {}

  static async start(databaseUrl: string): Promise<Instance> {
    const port = await findFreePort();
    const child = spawn(process.execPath, [join(packageRoot, 'dist/src/main.js')], {
      env: { PATH: process.env.PATH, DATABASE_URL: databaseUrl, PORT: String(port), LOG_LEVEL: 'fatal' },
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    const url = `http://127.0.0.1:${port}`;
    while (!(await fetch(`${url}/readyz`).catch(() => null))?.ok) {
      if (child.exitCode !== null) throw new Error(`an instance ended with ${child.exitCode}`);
      await sleep(100);
    }
    return new Instance(url, child);
  }

  /** As Linux counts them, in /proc. */
  measure(): { residentMiB: number; descriptors: number } {
    const status = readFileSync(`/proc/${this.process.pid}/status`, 'utf8');
    const descriptors = readdirSync(`/proc/${this.process.pid}/fd`).length;
    return { residentMiB: Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024, descriptors };
  }

  async stop(): Promise<void> {
    this.process.kill('SIGTERM');
    const [code] = await once(this.process, 'exit');
    if (code !== 0) throw new Error(`an instance ended with ${code}`);
  }
}

const { values: options } = parseArgs({ options: { for: { type: 'string', default: '10m' } } });
const durationMs = parseDuration(options.for);
const server = await startPostgres({ max_connections: '100' });
const database = await connectDatabase(loadConfig({ DATABASE_URL: server.url }), quiet);
await migrate(database, quiet);
const instances = [await Instance.start(server.url), await Instance.start(server.url)] as const;
const windows: Window[] = [];
print('| window | answered | failed in the outage | p50 ms | p99 ms | resident MiB | descriptors | violations |');
print('| --- | --- | --- | --- | --- | --- | --- | --- |');
for (const end = performance.now() + durationMs; performance.now() < end; ) {
  const window = await runWindow(windows.length, server, database);
  windows.push(window);
  const { answered, failed, p50, p99, residentMiB, descriptors, violations } = window;
  const cells = [answered, failed, p50.toFixed(1), p99.toFixed(1), residentMiB.toFixed(), descriptors];
  print(`| ${[windows.length, ...cells, violations.length].join(' | ')} |`);
}
for (const instance of instances) await instance.stop();
await database.close();
await server.stop();
const complaints = judge(windows);
for (const complaint of complaints) print(complaint);
process.exitCode = complaints.length > 0 ? 1 : 0;

/** Each window has new projects, since a history must start empty. So the registry grows all the time. */
async function runWindow(number: number, { kill, restart }: PostgresServer, { db }: Database): Promise<Window> {
  const projects = Array.from({ length: PROJECTS }, (_, i) => `soak-${number}-${i}`);
  const starts = new Map<string, number>();
  for (const project of projects) starts.set(project, (await ask('POST', '/v1/ranges', { project })).startPort);
  let asked = 0;
  const recorder = new Recorder(() => instances[asked++ % 2 === 0 ? 0 : 1].url, 30_000);
  const began = performance.now();
  const traffic = new Traffic(recorder, { projects, callersPerProject: CALLERS_PER_PROJECT, pauseMs: PAUSE_MS });
  const others = askOthers(projects, began + WINDOW_MS);
  await sleep(WINDOW_MS / 2);
  await kill();
  await sleep(OUTAGE_MS);
  await restart();
  await others;
  await traffic.stop();
  const { items } = await ask('GET', '/v1/excluded-ports?limit=1000');
  const excluded = new Set(items.map(({ port }: { port: number }) => port));
  const portsOf = ({ project }: PortSpace) =>
    Array.from({ length: 100 }, (_, i) => (starts.get(project) ?? 0) + i).filter((port) => !excluded.has(port));
  const times = recorder.answered.map(({ ms }) => ms).sort((a, b) => a - b);
  const at = (share: number) => times[Math.floor(share * (times.length - 1))] ?? Number.NaN;
  const measured = instances.map((instance) => instance.measure());
  return {
    answered: times.length,
    failed: recorder.history.length - times.length,
    p50: at(0.5),
    p99: at(0.99),
    residentMiB: sum(measured.map(({ residentMiB }) => residentMiB)),
    descriptors: sum(measured.map(({ descriptors }) => descriptors)),
    violations: [...checkHistory(recorder.history, portsOf).violations.map(String), ...(await findViolations(db))],
  };
}

/** Sends other kinds of requests once a second. While the database is unavailable they fail, which does not matter. */
async function askOthers(projects: string[], until: number): Promise<void> {
  for (let i = 0; performance.now() < until; i++) {
    const project = projects[i % projects.length];
    const calls = [
      async () => {
        const { id } = await ask('POST', `/v1/projects/${project}/reservations`, { ttlSeconds: 5, host: 'elsewhere' });
        await ask('POST', `/v1/reservations/${id}/claim`, { service: `claimed-${i}` });
      },
      () => ask('GET', `/v1/projects/${project}/summary`),
      () => ask('GET', '/v1/allocations?limit=100'),
      () => ask('POST', '/v1/audits', { project }),
      () => ask('GET', '/metrics'),
    ];
    await Promise.all(calls.map((call) => call().catch(() => {})));
    await sleep(1000);
  }
}

async function ask(method: string, path: string, body?: object) {
  const response = await fetch(instances[0].url + path, {
    method,
    ...(body && { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
  return path === '/metrics' ? text : JSON.parse(text);
}

/** The first window is for warming up. Of the others, the second half is compared with the first. */
function judge(all: Window[]): string[] {
  const complaints = all.flatMap(({ violations }) => violations);
  const steady = all.slice(1);
  const first = steady.slice(0, Math.floor(steady.length / 2));
  const second = steady.slice(Math.ceil(steady.length / 2));
  if (first.length === 0) return complaints;
  const compare = (what: 'residentMiB' | 'p50' | 'p99' | 'descriptors') =>
    [first, second].map((part) => median(part.map((window) => window[what]))) as [number, number];
  for (const what of ['residentMiB', 'p50', 'p99'] as const) {
    const [before, after] = compare(what);
    print(`${what}: ${before.toFixed(1)} in the first half, ${after.toFixed(1)} in the second`);
    if (after > MAX_GROWTH * before) complaints.push(`${what} grew`);
  }
  const [before, after] = compare('descriptors');
  print(`descriptors: ${before} in the first half, ${after} in the second`);
  if (after > before + MAX_MORE_DESCRIPTORS) complaints.push('descriptors grew');
  return complaints;
}

function median(values: number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

function sum(values: number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

function parseDuration(text: string): number {
  const [, amount, unit] = /^(\d+)([smh])$/.exec(text) ?? [];
  if (amount === undefined) throw new Error(`${text} is no duration, such as 90s, 10m or 1h`);
  return Number(amount) * { s: 1000, m: 60_000, h: 3_600_000 }[unit as 's' | 'm' | 'h'];
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
