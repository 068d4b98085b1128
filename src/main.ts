import { setTimeout as sleep } from 'node:timers/promises';
import closeWithGrace from 'close-with-grace';
import { pino } from 'pino';
import { buildApp } from './app.js';
import { closeServer } from './close-server.js';
import { loadConfig } from './config.js';
import { prepareDatabase } from './database/prepare.js';
import { connectForService, servePeers } from './mcp/peers.js';
import { openToolsForKeys } from './mcp/tools.js';
import { Readiness } from './readiness.js';
import { createService } from './service.js';
import { runMonitor } from './services/monitor.js';
import { describeStartError } from './start-error.js';

/** What shutting down may take beyond the longest request. */
const CLOSE_MARGIN_MS = 5000;

/** Aborted when a signal, or an error nobody caught, asks the process to stop. */
const stopping = new AbortController();

async function main(): Promise<void> {
  const config = loadConfig(process.env, { dotenv: true });
  const log = pino({ level: config.logLevel });
  const readiness = new Readiness();

  // Before anything that takes its time: the first process of a container ignores a signal it has no handler for.
  const opened: (() => Promise<void>)[] = [];
  const patienceMs = config.drainMs + config.requestTimeoutMs + CLOSE_MARGIN_MS;
  closeWithGrace({ delay: patienceMs, logger: log }, async ({ signal, err }) => {
    if (err) log.fatal({ err }, 'Unexpected error; stopping');
    else log.info({ signal }, 'Stopping: finishing what is in flight');
    readiness.stopping();
    // Until the proxy's health check has failed it sends requests here, and one that meets a closed socket is lost.
    if (!err) await sleep(config.drainMs);
    stopping.abort();
    const failures: unknown[] = [];
    for (const close of opened.reverse()) await close().catch((error: unknown) => failures.push(error));
    if (failures.length > 0) throw new AggregateError(failures, 'Not everything could be closed'); // logged; exit code 1
    log.info('Stopped');
  });

  const database = await connectForService(config, log);
  opened.push(() => database.close());
  const service = createService({ database, config, log, readiness });
  const app = await buildApp(service);
  opened.push(() => closeServer(app, config.requestTimeoutMs));

  const prepared = prepareDatabase(database, config, log, stopping.signal);
  // The embedded database is ready before the first request; a PostgreSQL that is away must not keep us from answering.
  if (database.kind === 'embedded') await prepared;
  await Promise.all([prepared, app.listen({ host: config.host, port: config.port })]);
  if (database.kind === 'embedded') {
    // Agents' stdio processes pass their calls on to this one.
    const peers = await servePeers(config.dataDir, openToolsForKeys(service), null);
    opened.push(() => peers.close());
    opened.push(async () => service.auditor.stop()); // before the peers are closed, one of which may wait for an audit
  }
  readiness.started();
  const monitor = runMonitor(database.db, service, stopping.signal);
  opened.push(() => monitor);
  log.info({ database: database.kind, ...(database.kind === 'embedded' && { dataDir: config.dataDir }) }, 'Ready');
}

main().catch((error: unknown) => {
  if (stopping.signal.aborted) return; // stopped while it started: what it was using is being closed
  process.stderr.write(`${describeStartError(error)}\n`);
  process.exit(1);
});
