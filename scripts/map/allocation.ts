// Finds out what one new allocation runs: the functions of src/ that V8 counts while the real app answers the request,
// and the statements that are sent to the database meanwhile.
import { mkdtemp, rm } from 'node:fs/promises';
import { type Profiler, Session } from 'node:inspector/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import type { FastifyInstance } from 'fastify';
import pg from 'pg';
import { pino } from 'pino';
import { buildApp } from '../../src/app.js';
import { loadConfig } from '../../src/config.js';
import { connectDatabase } from '../../src/database/connect.js';
import { migrate } from '../../src/database/migrate.js';
import { seed } from '../../src/database/seed.js';
import { Metrics } from '../../src/metrics.js';
import { packageRoot } from '../../src/package-root.js';
import { createService } from '../../src/service.js';

/** Enough to fill every cache and to create everything that is created on first use. */
const WARM_UP_REQUESTS = 20;
const COMPILED = `${pathToFileURL(join(packageRoot, 'dist'))}/`;

/** A file of src/, and the names of its functions and methods that were called, in the order of the file. */
export interface CalledFile {
  path: string;
  functions: string[];
}

export interface AllocationRun {
  /** Files that an allocation calls and a request that is refused before its handler does not. */
  files: CalledFile[];
  /** Files that both call, because they serve every request. */
  leftOut: CalledFile[];
  /** The text of every SQL statement that was sent, in order. */
  statements: string[];
}

/** Starts the app, and lets it allocate a port for a service that has none yet. */
export async function runAllocation(): Promise<AllocationRun> {
  const folder = await mkdtemp(join(tmpdir(), 'port-allocator-map-'));
  const { app, close } = await openApp(folder);
  try {
    for (let i = 0; i < WARM_UP_REQUESTS; i++) await allocate(app, `warm-up-${i}`);
    await beRefused(app);
    const refused = await callsDuring(() => beRefused(app));
    let statements: string[] = [];
    const called = await callsDuring(async () => {
      statements = await statementsDuring(() => allocate(app, 'measured'));
    });
    const servesEveryRequest = ({ path }: CalledFile) => refused.some((file) => file.path === path);
    return {
      files: called.filter((file) => !servesEveryRequest(file)),
      leftOut: called.filter(servesEveryRequest),
      statements,
    };
  } finally {
    await close();
    await rm(folder, { recursive: true });
  }
}

/** The app as it is in production, on an embedded database of its own. */
async function openApp(dataDir: string): Promise<{ app: FastifyInstance; close(): Promise<void> }> {
  const config = loadConfig({ DATA_DIR: dataDir });
  const log = pino({ level: 'silent' });
  const database = await connectDatabase(config, log);
  await migrate(database, log);
  await seed(database.db, config.reuseCooldownSeconds);
  const metrics = new Metrics(database.poolCounts);
  const service = createService({ database, config, log, observer: metrics });
  const app = await buildApp(service, metrics);
  service.readiness.started();
  return {
    app,
    async close() {
      await app.close();
      await database.close();
    },
  };
}

const allocate = (app: FastifyInstance, service: string) => put(app, service, 201);

/** Sends a request that is refused by the validation of its query, the last step before the route's handler. */
const beRefused = (app: FastifyInstance) => put(app, 'refused?unknown=1', 400);

async function put(app: FastifyInstance, service: string, expected: number): Promise<void> {
  const url = `/v1/projects/consilio/services/${service}`;
  const { statusCode, body } = await app.inject({ method: 'PUT', url, headers: { host: 'localhost' } });
  if (statusCode !== expected) throw new Error(`PUT ${url} was to answer ${expected}: ${statusCode} ${body}`);
}

async function callsDuring(work: () => Promise<void>): Promise<CalledFile[]> {
  const session = new Session();
  session.connect();
  try {
    await session.post('Profiler.enable');
    await session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: false });
    await session.post('Profiler.takePreciseCoverage'); // sets every count to zero
    await work();
    await setImmediate(); // what the app does once the answer is sent belongs to the request too
    const { result } = await session.post('Profiler.takePreciseCoverage');
    return result
      .filter(({ url }) => url.startsWith(`${COMPILED}src/`))
      .flatMap(toCalledFile)
      .sort((a, b) => (a.path < b.path ? -1 : 1));
  } finally {
    session.disconnect();
  }
}

/** Empty for a file of which nothing was called. */
function toCalledFile({ url, functions }: Profiler.ScriptCoverage): CalledFile[] {
  const called = functions.filter(({ ranges }) => (ranges[0]?.count ?? 0) > 0);
  if (called.length === 0) return [];
  const path = url.slice(COMPILED.length).replace(/\.js$/, '.ts'); // tsc writes one file for each source
  // What initializes the fields of a class is a function to V8, named `<instance_members_initializer>`.
  const names = called.map(({ functionName }) => functionName).filter((name) => name !== '' && !name.startsWith('<'));
  return [{ path, functions: names }];
}

async function statementsDuring(work: () => Promise<void>): Promise<string[]> {
  const statements: string[] = [];
  const { query } = pg.Client.prototype;
  pg.Client.prototype.query = function (this: pg.Client, ...given: unknown[]) {
    const [statement] = given as [string | { text: string }];
    statements.push(typeof statement === 'string' ? statement : statement.text);
    return Reflect.apply(query, this, given);
  };
  try {
    await work();
  } finally {
    pg.Client.prototype.query = query;
  }
  return statements;
}
