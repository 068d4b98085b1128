import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import { redactKeys } from './access/redact.js';
import { buildApp } from './app.js';
import { closeServer } from './close-server.js';
import { type Config, loadConfig } from './config.js';
import { prepareDatabase } from './database/prepare.js';
import { connectForService, servePeers } from './mcp/peers.js';
import { openToolsForKeys } from './mcp/tools.js';
import { Metrics } from './metrics.js';
import { closeBeforeExit, exit } from './process/ending.js';
import { openLog } from './process/log.js';
import { Readiness } from './readiness.js';
import { createService } from './service.js';
import { runMonitor } from './services/monitor.js';
import { cannotListen, describeStartError } from './start-error.js';

/** How long closing may take in addition to DRAIN_MS and the longest request. After that the process ends as it is. */
const CLOSE_MARGIN_MS = 5000;

/** Aborted when the process stops. What still waits for the database, and the work in the background, then ends. */
const stopping = new AbortController();

/** Functions that close what `main` has opened so far, in the order in which it was opened. */
const closers: (() => Promise<void>)[] = [];

async function main(): Promise<void> {
  const config = loadConfig(process.env, { dotenv: true });
  const log = openLog(config.logLevel, 1, redactKeys(config.adminApiKey));
  const readiness = new Readiness();

  // Comes before everything that takes time: the first process of a container ignores a signal that it has no handler
  // for, and could then not be stopped while it starts.
  closeOnSignal(config, log, readiness);

  const database = await connectForService(config, log);
  closers.push(() => database.close());
  stopping.signal.throwIfAborted();

  const metrics = new Metrics(database.poolCounts);
  const service = createService({ database, config, log, readiness, observer: metrics });
  const app = await buildApp(service, metrics);
  closers.push(() => closeServer(app, config.requestTimeoutMs));

  // Migrations and seed. The embedded database is prepared before the first request. PostgreSQL may be unavailable for
  // a while, and meanwhile this service listens already and answers with 503.
  const prepared = prepareDatabase(database, config, log, stopping.signal);
  if (database.kind === 'embedded') await prepared;
  await Promise.all([prepared, app.listen({ host: config.host, port: config.port }).catch(cannotListen)]);
  stopping.signal.throwIfAborted();

  // Only one process can open the embedded database. The stdio processes of agents pass their calls on to this one.
  if (database.kind === 'embedded') {
    const peers = await servePeers(config.dataDir, openToolsForKeys(service), null);
    closers.push(() => peers.close());
    closers.push(async () => service.prober.stop()); // before the peers are closed, because one may wait for an audit
  }

  readiness.started();
  const monitor = runMonitor(database.db, service, stopping.signal);
  closers.push(() => monitor);
  log.info({ database: database.kind, ...(database.kind === 'embedded' && { dataDir: config.dataDir }) }, 'Ready');
}

/** On a signal or an uncaught error: stops being ready, waits DRAIN_MS, and closes what was opened, the last first. */
function closeOnSignal(config: Config, log: Logger, readiness: Readiness): void {
  const patienceMs = config.drainMs + config.requestTimeoutMs + CLOSE_MARGIN_MS;
  closeBeforeExit(log, patienceMs, async ({ signal, err }) => {
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
}

main().catch((error: unknown) => {
  // Starting ends as soon as the process is told to stop. That is no error.
  if (stopping.signal.aborted) return;
  process.stderr.write(`${describeStartError(error)}\n`);
  return exit(1);
});
