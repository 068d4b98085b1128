import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { readHolder } from '../../src/embedded/holder.js';
import { packageRoot } from '../../src/package-root.js';
import { alternate, type Measure, median, type Row } from './measure.js';

const ROUNDS = 20;
const AGENTS = 10;
/** Until a process that has answered is idle, and its memory no longer changes. */
const SETTLE_MS = 2000;

const BRIDGE = join(packageRoot, 'dist/bin/port-allocator-mcp.cjs');
const COMMAND = join(packageRoot, 'dist/bin/port-allocator.cjs');
const INITIALIZE =
  '{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},' +
  '"clientInfo":{"name":"bench","version":"1"}}}\n';
const GET_PORT =
  '{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"get-port","arguments":' +
  '{"project":"consilio","service":"web"}}}\n';

/** What a command and an agent's stdio process take, with the service up, of an empty Node process. */
export const clients: Measure = async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'port-allocator-bench-'));
  const env = { PATH: process.env.PATH, PORT_ALLOCATOR_DATA_DIR: dataDir };
  const start = (script: string[], stdin: 'pipe' | 'ignore' = 'ignore') =>
    spawn(process.execPath, script, { env, stdio: [stdin, 'pipe', 'inherit'] });
  const timed = async (script: string[]) => {
    const begun = performance.now();
    const [code] = await once(start(script), 'exit');
    if (code !== 0) throw new Error(`${script.join(' ')} ended with ${code}`);
    return performance.now() - begun;
  };
  /** @returns milliseconds from the start of a stdio process until it has answered these messages */
  const answered = async (...messages: string[]) => {
    const begun = performance.now();
    const child = await ask(start([BRIDGE], 'pipe'), messages);
    const ms = performance.now() - begun;
    await end(child);
    return ms;
  };
  const empty = () => timed(['-e', '0']);
  await answered(INITIALIZE, GET_PORT); // starts the service
  const rows: Row[] = [
    {
      work: '`port-allocator port` with the service up, ms, of `node -e 0`',
      target: { most: 2 },
      ...(await alternate(ROUNDS, () => timed([COMMAND, '--project', 'consilio', 'port', 'web']), empty)),
    },
    {
      work: 'stdio: start to the answer of `initialize`, ms, of `node -e 0`',
      target: { most: 3 },
      ...(await alternate(ROUNDS, () => answered(INITIALIZE), empty)),
    },
    {
      work: 'stdio: start to the first port, ms, of `node -e 0`',
      target: { most: 4 },
      ...(await alternate(ROUNDS, () => answered(INITIALIZE, GET_PORT), empty)),
    },
    ...(await measureMemory(start, dataDir)),
  ];
  process.kill((await readHolder(dataDir))?.pid as number, 'SIGTERM');
  await sleep(SETTLE_MS);
  await rm(dataDir, { recursive: true, force: true });
  return rows;
};

async function measureMemory(
  start: (script: string[], stdin: 'pipe') => ChildProcess,
  dataDir: string,
): Promise<Row[]> {
  if (process.platform !== 'linux') return [];
  const agents = Array.from({ length: AGENTS }, () => start([BRIDGE], 'pipe'));
  const bare = Array.from({ length: AGENTS }, () => start(['-e', 'process.stdin.resume()'], 'pipe'));
  await Promise.all(agents.map((agent) => ask(agent, [INITIALIZE, GET_PORT])));
  await sleep(SETTLE_MS);
  const [ofAgents, ofBare] = await Promise.all(
    [agents, bare].map((all) => Promise.all(all.map((one) => rss(one.pid)))),
  );
  const service = await rss((await readHolder(dataDir))?.pid);
  await Promise.all([...agents, ...bare].map(end));
  const total = (ofAgents as number[]).reduce((sum, mib) => sum + mib, service);
  return [
    {
      work: 'stdio: resident memory of an idle process, MiB, of an idle `node`',
      target: { most: 1.6 },
      ratios: (ofAgents as number[]).map((mib, i) => mib / ((ofBare as number[])[i] ?? Number.NaN)),
      note: `${median(ofAgents as number[]).toFixed(0)} against ${median(ofBare as number[]).toFixed(0)}`,
    },
    {
      work: 'ten stdio processes and the service: resident memory, GiB',
      target: { most: 1 },
      ratios: [total / 1024],
      note: `${total.toFixed(0)} MiB, of which the service ${service.toFixed(0)}`,
    },
  ];
}

/** Sends messages one after the other, each when the one before is answered. */
async function ask(child: ChildProcess, messages: string[]): Promise<ChildProcess> {
  let written = '';
  child.stdout?.setEncoding('utf8').on('data', (text) => (written += text));
  for (const [i, message] of messages.entries()) {
    child.stdin?.write(message);
    while (written.split('\n').length <= i + 1) await once(child.stdout as Readable, 'data');
  }
  return child;
}

async function end(child: ChildProcess): Promise<void> {
  const exited = once(child, 'exit');
  child.stdin?.end();
  await exited;
}

/** Resident memory in MiB. */
async function rss(pid: number | undefined): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) / 1024;
}
