// Compares audits of every port of 65 project ranges with `nmap -sT -Pn -n -T4` over the same ports (Debian: apt-get
// install nmap). All ports are on loopback, a tenth of them listens, and the audits store their results. It is measured
// twice: with that tenth allocated, where the audit probes the others too (`unallocated`), and with every port
// allocated, so that each gets a connection attempt and a stored health check.
import { execFile, fork } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { sql } from 'kysely';
import { pino } from 'pino';
import { buildApp } from '../../src/app.js';
import { loadConfig } from '../../src/config.js';
import { connectDatabase } from '../../src/database/connect.js';
import { Metrics } from '../../src/metrics.js';
import { createService } from '../../src/service.js';
import { hasProgram } from './subjects.js';

const run = promisify(execFile);
const RANGES = 65;
const FIRST_PORT = 20_000; // below Linux's ephemeral ports
const PORTS = RANGES * 100;
const LAST_PORT = FIRST_PORT + PORTS - 1;
const LISTENING_EVERY = 10;
/** In its first rounds the service also compiles its code. That is left out, because a service runs for a long time. */
const WARM_UP_ROUNDS = 3;
const ROUNDS = 9;

/** Milliseconds of each round. `scans` is null if nmap is not installed. */
export interface Comparison {
  audits: number[];
  scans: number[] | null;
}

/** @param databaseUrl a migrated database in which nothing is held, on a server with fsync on */
export async function benchAudit(databaseUrl: string): Promise<{ tenth: Comparison; all: Comparison }> {
  const log = pino({ level: 'silent' });
  const config = loadConfig({ DATABASE_URL: databaseUrl });
  const database = await connectDatabase(config, log);
  const app = await buildApp(createService({ database, config, log }), new Metrics());
  // The listeners have their own process, so that accepting connections costs neither side of the comparison time.
  const listeners = fork(fileURLToPath(import.meta.url), ['listen']);
  try {
    await once(listeners, 'message');
    await sql`delete from port_ranges`.execute(database.db); // the seed ranges
    await sql`insert into port_ranges (start_port, end_port, project)
      select start, start + 99, 'bench-' || start
      from generate_series(${FIRST_PORT}::integer, ${LAST_PORT}, 100) start`.execute(database.db);
    const allocate = (step: number) =>
      sql`
      insert into port_allocations (port, project, service)
      select port, 'bench-' || (port - port % 100), 'service-' || port
      from generate_series(${FIRST_PORT}::integer, ${LAST_PORT}, ${step}) port
      on conflict do nothing`.execute(database.db);
    const audit = async () => {
      const { body } = await app.inject({
        method: 'POST',
        url: '/v1/audits',
        headers: { host: 'localhost' },
        payload: { unallocated: true },
      });
      const { checkedPorts, inUse } = JSON.parse(body);
      if (checkedPorts !== PORTS || inUse !== PORTS / LISTENING_EVERY) throw new Error(body.slice(0, 1000));
    };
    const scan = (await hasProgram('nmap')) ? scanWithNmap : null;
    await allocate(LISTENING_EVERY);
    const tenth = await compare(audit, scan);
    await allocate(1);
    return { tenth, all: await compare(audit, scan) };
  } finally {
    listeners.kill();
    await app.close();
    await database.close();
  }
}

/** Alternates audits and scans, so that other work on the machine affects both alike. */
async function compare(audit: () => Promise<void>, scan: (() => Promise<void>) | null): Promise<Comparison> {
  const audits: number[] = [];
  const scans: number[] = [];
  for (let round = 0; round < WARM_UP_ROUNDS + ROUNDS; round++) {
    const auditMs = await timed(audit);
    const scanMs = scan && (await timed(scan));
    if (round < WARM_UP_ROUNDS) continue;
    audits.push(auditMs);
    if (scanMs !== null) scans.push(scanMs);
  }
  return { audits, scans: scan && scans };
}

async function scanWithNmap(): Promise<void> {
  const ports = `${FIRST_PORT}-${LAST_PORT}`;
  const { stdout } = await run('nmap', ['-sT', '-Pn', '-n', '-T4', '-p', ports, '-oG', '-', '127.0.0.1']);
  const open = stdout.match(/\/open\//g)?.length;
  if (open !== PORTS / LISTENING_EVERY) throw new Error(`nmap found ${open} open ports`);
}

/** @returns milliseconds */
async function timed(work: () => Promise<void>): Promise<number> {
  const started = performance.now();
  await work();
  return performance.now() - started;
}

async function listen(): Promise<void> {
  for (let port = FIRST_PORT; port <= LAST_PORT; port += LISTENING_EVERY) {
    const server = createServer((socket) => socket.destroy()).listen(port, '127.0.0.1');
    await once(server, 'listening');
  }
  process.send?.('listening');
}

if (process.argv[1] === fileURLToPath(import.meta.url) && process.argv[2] === 'listen') await listen();
