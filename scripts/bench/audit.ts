// An audit of every port of 65 project ranges on loopback, a tenth of them listening, results stored: with
// that tenth allocated and the rest probed too (`unallocated`), and with every port allocated, so that each
// gets a connection attempt and a stored health check. Side by side with `nmap -sT -Pn -n -T4` over the same ports (Debian: apt-get install nmap).
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
import { createService } from '../../src/service.js';

const run = promisify(execFile);
const RANGES = 65;
const FIRST_PORT = 20_000; // below Linux's ephemeral ports
const PORTS = RANGES * 100;
const LAST_PORT = FIRST_PORT + PORTS - 1;
const LISTENING_EVERY = 10;
/** A service runs for long: the first rounds pay for compilation, and nmap has no such thing to leave out. */
const WARM_UP_ROUNDS = 3;
const ROUNDS = 9;

/** Milliseconds of each round; `scans` is null where nmap is not installed. */
export interface Comparison {
  audits: number[];
  scans: number[] | null;
}

/** @param databaseUrl a migrated database in which nothing is held, with fsync on */
export async function benchAudit(databaseUrl: string): Promise<{ tenth: Comparison; all: Comparison }> {
  const log = pino({ level: 'silent' });
  const config = loadConfig({ DATABASE_URL: databaseUrl });
  const database = await connectDatabase(config, log);
  const app = await buildApp(createService({ database, config, log }));
  // In a process of its own, so that accepting is nobody's time in this comparison.
  const listeners = fork(fileURLToPath(import.meta.url), ['listen']);
  try {
    await once(listeners, 'message');
    await sql`delete from port_ranges`.execute(database.db); // the seed's
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
    const scan = (await exists('nmap')) ? scanWithNmap : null;
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

/** In turns, so that what else the machine does meets both. */
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

async function exists(program: string): Promise<boolean> {
  return run(program, ['--version']).then(
    () => true,
    () => false,
  );
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
