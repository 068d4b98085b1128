import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import { buildApp } from './app.js';
import { divideOpenFiles, type OpenFiles } from './config/open-files.js';
import type { Config } from './config.js';
import { connectDatabase, type Database } from './database/connect.js';
import { prepareDatabase } from './database/prepare.js';
import { type DataDirLock, lockDataDir } from './embedded/data-dir-lock.js';
import type { RunningService } from './embedded/running-service.js';
import { takeOver } from './embedded/take-over.js';
import { readOpenFilesLimit } from './machine/open-files.js';
import { Metrics } from './metrics.js';
import { version } from './package-root.js';
import { closeServer } from './process/close-server.js';
import { closeBeforeExit } from './process/ending.js';
import { cannotListen, requireFreePort, urlFrom } from './process/free-port.js';
import { endWhenIdle } from './process/idle.js';
import { LocalSocket } from './process/local-socket.js';
import { endWhenLost } from './process/lost-folder.js';
import { describeRefusedPort } from './process/refused-ports.js';
import { Readiness } from './readiness.js';
import { EVENTS_CHANNEL } from './repositories/events/events.js';
import { createService, sourceOf } from './service.js';
import { runTunnelSync } from './services/cloudflare/background.js';
import { runMonitor } from './services/monitor.js';
import { runWebhooks } from './services/webhooks/webhooks.js';

/** How long closing may take in addition to DRAIN_MS and the longest request. After that the process ends as it is. */
const CLOSE_MARGIN_MS = 5000;

/** How the service runs in this process. */
export type Mode =
  /** On HOST and PORT, and on the embedded database also on the socket of the data folder, until it is told to end. */
  | { kind: 'foreground' }
  /** On the socket alone, started by a client that found no service, until nobody has asked anything for `idleMs`. */
  | { kind: 'background'; idleMs: number; lock: DataDirLock };

/**
 * Runs the service in this process, and returns when it is ready.
 * @returns where a person can open it in a browser; null in the background, and if it was told to end before it was ready
 */
export async function serve(config: Config, log: Logger, mode: Mode): Promise<string | null> {
  const readiness = new Readiness();
  // Comes before everything that takes time: the first process of a container ignores a signal that it has no handler
  // for, and could then not be stopped while it starts.
  const { stopping, closers, end } = closeOnSignal(config, log, readiness);
  try {
    const openFiles = divideOpenFiles(config, readOpenFilesLimit());
    if (openFiles.probeConcurrency < config.probeConcurrency) log.warn(...describeReduced(openFiles, config));
    if (mode.kind === 'foreground') await requireFreePort(config);
    const database = await openDatabase(config, log, mode, openFiles.databaseFiles);
    closers.push(() => database.close());
    stopping.throwIfAborted();

    const metrics = new Metrics(database.poolCounts);
    const service = createService({ database, config, log, readiness, observer: metrics, openFiles });
    const local = database.kind === 'embedded' ? new LocalSocket(config.dataDir, describeProcess(config, mode)) : null;
    const app = await buildApp(service, metrics, local && { local, end });
    local?.attach(app);
    if (local) closers.push(() => local.remove());
    closers.push(() => closeServer(app, config.requestTimeoutMs));
    const beginWaiting = mode.kind === 'background' ? endWhenIdle(app, mode.idleMs, end) : null;

    // Migrations and seed. The embedded database is prepared before the first request. PostgreSQL may be unavailable
    // for a while, and meanwhile this service listens already and answers with 503.
    const prepared = prepareDatabase(database, config, log, stopping);
    if (database.kind === 'embedded') await prepared;
    await Promise.all([prepared, mode.kind === 'foreground' && listen(app, config)]);
    if (mode.kind === 'foreground') warnOfRefusedPort(config, log);
    stopping.throwIfAborted();
    if (local) {
      closers.push(() => local.withdraw());
      await (mode.kind === 'foreground' ? local.listenBeside(app, urlOf(app, config)) : local.listenAlone(app));
    }

    readiness.started();
    beginWaiting?.();
    const monitor = runMonitor(database.db, service, stopping);
    closers.push(() => monitor);
    const feed = service.feed.run(stopping);
    const listening = database.listen(EVENTS_CHANNEL, () => service.feed.changed(), stopping);
    closers.push(() => Promise.all([feed, listening]).then(() => {}));
    const webhooks = runWebhooks({ ...service, db: database.db, source: sourceOf(config) }, stopping);
    closers.push(() => webhooks);
    const parts = { config: config.cloudflare, feed: service.feed, log };
    const tunnel = runTunnelSync(service.tunnelSync, parts, stopping);
    closers.push(() => tunnel);
    log.info({ database: database.kind, ...(local && { dataDir: config.dataDir }) }, 'Ready');
    return mode.kind === 'foreground' ? urlOf(app, config) : null;
  } catch (error) {
    // Starting ends as soon as the process is told to end. That is no error.
    if (!stopping.aborted) throw error;
    return null;
  }
}

/** Only one process can have the embedded database open. */
function openDatabase(config: Config, log: Logger, mode: Mode, files: number): Promise<Database> {
  if (config.databaseUrl !== null) return connectDatabase(config, log);
  if (mode.kind === 'background') return connectDatabase(config, log, async () => endWhenLost(mode.lock, log), files);
  const takeLock = async (dataDir: string) => endWhenLost(await lockDataDir(dataDir, 'foreground'), log);
  return takeOver(config.dataDir, () => connectDatabase(config, log, takeLock, files));
}

/** What the log says when the process may have too few files open for PROBE_CONCURRENCY. */
function describeReduced({ limit, probeConcurrency, connections }: OpenFiles, config: Config): [object, string] {
  const message =
    `PROBE_CONCURRENCY ${config.probeConcurrency} → ${probeConcurrency} because the process may have ${limit} open ` +
    `files (ulimit -n); there may be ${connections} connections`;
  return [{ openFiles: limit, probeConcurrency, connections }, message];
}

const describeProcess = ({ dataDir }: Config, { kind }: Mode): RunningService => ({
  pid: process.pid,
  mode: kind,
  url: null,
  dataDir,
  version,
  startedAt: new Date().toISOString(),
});

const listen = (app: FastifyInstance, { host, port }: Config) =>
  app.listen({ host, port }).catch((error) => cannotListen(error, { host, port }));

function warnOfRefusedPort({ port }: Config, log: Logger): void {
  const warning = describeRefusedPort(port);
  if (warning !== null) log.warn({ port }, warning);
}

/** Where a person on this machine can open the service in a browser. */
function urlOf(app: FastifyInstance, { basePath }: Config): string {
  const { address, port } = app.server.address() as AddressInfo;
  return urlFrom(address, port) + basePath;
}

/**
 * On a signal or an uncaught error: stops being ready, waits DRAIN_MS, and closes what was opened, the last first.
 * @returns `stopping` is aborted when the process stops: what still waits for the database, and the work in the
 * background, then ends. `closers` close what has been opened so far, in the order in which it was opened. `end` does
 * the same as a signal.
 */
function closeOnSignal(config: Config, log: Logger, readiness: Readiness) {
  const stopping = new AbortController();
  const closers: (() => Promise<void>)[] = [];
  const patienceMs = config.drainMs + config.requestTimeoutMs + CLOSE_MARGIN_MS;
  const end = closeBeforeExit(log, patienceMs, async ({ signal, err }) => {
    if (err) log.fatal({ err }, 'Unexpected error; stopping');
    else log.info({ signal }, 'Stopping: finishing what is in flight');
    readiness.stopping();

    // A proxy sends requests here until its health check has failed. A request that met a closed socket would be lost.
    if (!err) await sleep(config.drainMs);
    stopping.abort();

    const failures: unknown[] = [];
    for (const close of closers.reverse()) await close().catch((error: unknown) => failures.push(error));
    if (failures.length > 0) throw new AggregateError(failures, 'Some of it could not be closed');
    log.info('Stopped');
  });
  return { stopping: stopping.signal, closers, end };
}
