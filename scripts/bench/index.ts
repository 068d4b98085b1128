// npm run bench [-- reads contention churn growth isolation scaleOut audit firstStart clients] [--quick]
//   [--listening N] [--json FILE]
// Measures the service and what it is compared with in turn, in one run, and prints the ratios next to their targets.
// Absolute figures differ from machine to machine, so the time that the disk takes for a commit is printed with them.
import { writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import pg from 'pg';
import { type Effort, median, type Row } from './measure.js';
import { measures } from './rows.js';
import { Subjects } from './subjects.js';

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    quick: { type: 'boolean', default: false },
    listening: { type: 'string', default: '0' },
    json: { type: 'string' },
  },
});
const effort: Effort = options.quick
  ? { rounds: 1, seconds: 2, churnSeconds: 20 }
  : { rounds: 3, seconds: 5, churnSeconds: 60 };
const chosen = positionals.length > 0 ? positionals : Object.keys(measures);
const unknown = chosen.filter((name) => !(name in measures));
if (unknown.length > 0)
  throw new Error(`no such rows: ${unknown.join(', ')}; there are ${Object.keys(measures).join(', ')}`);

/** Above every range of the bench. */
const FIRST_LISTENING = 50_000;
const print = (line: string) => process.stdout.write(`${line}\n`);
const subjects = await Subjects.start();
const listening = await openListeners(Number(options.listening));
const rows: Row[] = [];
const machine = `${cpus().length} × ${cpus()[0]?.model}, Node ${process.version}`;
const commitMs = await measureCommit();
print(`${machine}; a commit takes ${commitMs.toFixed(2)} ms (median of 200 single-row updates, fsync on)\n`);
if (listening.length > 0) print(`${listening.length} sockets more than usual listen on this machine\n`);
print('| work | target | ratio (median, spread) | measured |\n| --- | --- | --- | --- |');
for (const name of chosen) {
  for (const row of (await measures[name]?.(subjects, effort)) ?? []) {
    rows.push(row);
    print(`| ${row.work} | ${describeTarget(row)} | ${describeRatios(row)} | ${row.note} |`);
  }
}
await subjects.stop();
for (const server of listening) server.close();
if (options.json) await writeFile(options.json, `${JSON.stringify({ machine, commitMs, effort, rows }, null, 2)}\n`);

function describeTarget({ target: { least, most } }: Row): string {
  if (least !== undefined) return `≥ ${least}`;
  return most === undefined ? 'none' : `≤ ${most}`;
}

function describeRatios({ ratios, target }: Row): string {
  if (ratios === null) return 'skipped';
  const ratio = median(ratios);
  const met = ratio >= (target.least ?? 0) && ratio <= (target.most ?? Number.POSITIVE_INFINITY);
  const spread = ratios.length > 1 ? ` (${Math.min(...ratios).toFixed(2)}–${Math.max(...ratios).toFixed(2)})` : '';
  return `${ratio.toFixed(2)}${spread}${met ? '' : ', missed'}`;
}

/** Opens so many sockets that listen, like the services of a busy machine. */
async function openListeners(count: number): Promise<Server[]> {
  const open = (port: number) =>
    new Promise<Server[]>((resolve) => {
      const server = createServer();
      server.once('error', () => resolve([])); // somebody else has the port
      server.listen({ port, host: '127.0.0.1' }, () => resolve([server]));
    });
  return (await Promise.all(Array.from({ length: count }, (_, i) => open(FIRST_LISTENING + i)))).flat();
}

async function measureCommit(): Promise<number> {
  const client = new pg.Client({ connectionString: subjects.server.url });
  await client.connect();
  await client.query('create table commits (n integer); insert into commits values (0)');
  const times: number[] = [];
  for (let i = 0; i < 200; i++) {
    const begun = performance.now();
    await client.query('update commits set n = n + 1');
    times.push(performance.now() - begun);
  }
  await client.end();
  return median(times);
}
