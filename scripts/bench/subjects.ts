import { type ChildProcess, execFile, fork } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import { loadConfig } from '../../src/config.js';
import { connectDatabase } from '../../src/database/connect.js';
import { migrate } from '../../src/database/migrate.js';
import { seed } from '../../src/database/seed.js';
import { packageRoot } from '../../src/package-root.js';
import { findFreePort, type PostgresServer, startPostgres } from '../postgres.js';

const run = promisify(execFile);
const quiet = { info() {}, warn() {} };

export interface Service {
  url: string;
  /** Seconds from its start to its first answer. */
  startSeconds: number;
  /** Resident memory now, in MiB. */
  memory(): Promise<number>;
  stop(): Promise<void>;
}

/**
 * The servers that the benchmark measures: one PostgreSQL with fsync on, databases in it, and processes that use them.
 */
export class Subjects {
  readonly #services: Service[] = [];

  private constructor(readonly server: PostgresServer) {}

  static async start(): Promise<Subjects> {
    return new Subjects(await startPostgres({ max_connections: '300', shared_buffers: '256MB' }));
  }

  /** Creates a database, migrates and seeds it. Returns its URL. */
  async createDatabase(name: string): Promise<string> {
    const url = new URL(this.server.url);
    await query(url.href, `create database ${name}`);
    url.pathname = `/${name}`;
    const database = await connectDatabase(loadConfig({ DATABASE_URL: url.href }), quiet);
    await migrate(database, quiet);
    await seed(database.db, 0);
    await database.close();
    return url.href;
  }

  /** Starts the service in a process of its own, with a pool of 10 connections. */
  startService(
    databaseUrl: string,
    { batching = true, profileInto }: { batching?: boolean; profileInto?: string } = {},
  ): Promise<Service> {
    const env = { DATABASE_URL: databaseUrl, REQUEST_TIMEOUT_MS: '60000', ...(!batching && { BENCH_MAX_BATCH: '1' }) };
    const profiling = profileInto === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profileInto}`];
    return this.#fork('service.js', env, profiling);
  }

  /** Starts a bare Fastify route that runs one prepared single-row SELECT per request. */
  startBareRoute(databaseUrl: string): Promise<Service> {
    return this.#fork('bare.js', { DATABASE_URL: databaseUrl });
  }

  async #fork(file: string, env: Record<string, string>, execArgv: string[] = []): Promise<Service> {
    const port = await findFreePort();
    const started = performance.now();
    const child: ChildProcess = fork(join(packageRoot, 'dist/scripts/bench', file), {
      env: { ...process.env, ...env, PORT: String(port) },
      execArgv,
    });
    await new Promise<void>((resolve, reject) => {
      child.once('message', () => resolve());
      child.once('exit', (code) => reject(new Error(`${file} ended with ${code} before it was ready`)));
    });
    const service: Service = {
      url: `http://127.0.0.1:${port}`,
      startSeconds: (performance.now() - started) / 1000,
      memory: () =>
        new Promise((resolve) => {
          child.once('message', (bytes) => resolve(Number(bytes) / 1024 ** 2));
          child.send('memory');
        }),
      stop: () =>
        new Promise<void>((resolve) => {
          if (child.exitCode !== null) return resolve();
          child.removeAllListeners('exit').once('exit', () => resolve());
          if (child.connected) child.disconnect();
        }),
    };
    this.#services.push(service);
    return service;
  }

  async stop(): Promise<void> {
    await Promise.all(this.#services.map((service) => service.stop()));
    await this.server.stop();
  }
}

/** Runs statements on a new connection. */
export async function query(url: string, text: string, values?: unknown[]): Promise<pg.QueryResult> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return await client.query(text, values);
  } finally {
    await client.end();
  }
}

/** Whether a program is installed. (Debian has pgbench in postgresql-contrib or postgresql-client.) */
export function hasProgram(name: string): Promise<boolean> {
  return run(name, ['--version']).then(
    () => true,
    () => false,
  );
}

/**
 * Runs `pgbench` clients that call allocate_port() and release_port() of this service's schema, in turn.
 * @returns pairs of calls per second
 */
export async function runPgbench(
  databaseUrl: string,
  options: { project: string; clients: number; seconds: number },
): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), 'port-allocator-bench-'));
  try {
    const script = join(folder, 'pair.sql');
    await writeFile(
      script,
      `select allocate_port('${options.project}', 'bench') as port \\gset\nselect release_port(:port);\n`,
    );
    const { stdout } = await run('pgbench', [
      '--no-vacuum',
      `--client=${options.clients}`,
      '--jobs=2',
      `--time=${options.seconds}`,
      '--protocol=prepared',
      `--file=${script}`,
      databaseUrl,
    ]);
    return Number(/tps = ([\d.]+)/.exec(stdout)?.[1]);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
