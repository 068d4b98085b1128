// Closing a terminal, and a log that cannot be written: neither keeps a process from ending, nor its lock from being
// free.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { lockDataDir } from '../../src/embedded/data-dir-lock.js';
import { packageRoot } from '../../src/package-root.js';
import { endServiceAtEnd } from '../helpers/agents.js';
import { createDatabase, makeDataDir, makeSeededDir } from '../helpers/database.js';
import { Load } from '../helpers/load.js';
import { BRIDGE } from '../helpers/mcp.js';
import { callerOf, startService } from '../helpers/service.js';
import { type OnTerminal, startOnTerminal } from '../helpers/terminal.js';

const SERVICE = [process.execPath, 'dist/src/main.js'];
/** Creating a database blocks the process, and takes up to 37 s on a busy machine. */
const LONG_MS = 60_000;

function start(t: Parameters<typeof startOnTerminal>[0], dataDir: string, variables: Record<string, string> = {}) {
  return startOnTerminal(t, SERVICE, { DATA_DIR: dataDir, PORT: '0', LOG_LEVEL: 'info', ...variables });
}

async function ready(process: OnTerminal): Promise<string> {
  await process.until(/Port Allocator runs/);
  const [, url = ''] = await process.until(/(http:\/\/127\.0\.0\.1:\d+)/);
  return url;
}

/** @throws DataDirLockedError */
const lockAndRelease = async (dataDir: string) => (await lockDataDir(dataDir)).release();

t.test('a service whose terminal is closed ends with 0, and keeps what it acknowledged', async (t) => {
  const dataDir = await makeSeededDir(t);
  const idle = start(t, dataDir);
  await ready(idle);
  idle.closeTerminal();
  t.match(await idle.endedWithin(15_000), { exitCode: 0, signal: 0 }, 'idle');
  await lockAndRelease(dataDir);

  const busy = start(t, dataDir);
  const call = callerOf(await ready(busy));
  const load = new Load(() => ({ call }), { project: 'shared-services', callers: 8 });
  while (load.acknowledged.size < 20) await sleep(20);
  busy.closeTerminal();
  t.match(await busy.endedWithin(15_000), { exitCode: 0, signal: 0 }, 'under load');
  await load.stop();
  const next = await startService(t, { DATA_DIR: dataDir }).ready();
  t.same(await load.findBrokenPromises(next), []);
  t.equal(await next.kill('SIGTERM'), 0);

  const ending = start(t, dataDir, { DRAIN_MS: '1000' });
  await ready(ending);
  ending.kill('SIGTERM');
  await ending.until(/Stopping/);
  ending.closeTerminal();
  t.match(await ending.endedWithin(15_000), { exitCode: 0, signal: 0 }, 'while it ends');
  await lockAndRelease(dataDir);
});

t.test('a service whose terminal is closed during its first migration ends, and starts the next time', async (t) => {
  const dataDir = await makeDataDir(t);
  const first = start(t, dataDir);
  while (!(await readdir(dataDir)).some((name) => /^(\.port-allocator-unfinished-|database$)/.test(name)))
    await sleep(5);
  first.closeTerminal();
  t.match(await first.endedWithin(LONG_MS), { exitCode: 0, signal: 0 });
  await lockAndRelease(dataDir);
  const next = await startService(t, { DATA_DIR: dataDir }).ready();
  t.equal((await next.call('PUT', '/v1/projects/consilio/services/api')).body.port, 3100);
});

t.test('npm start leaves nothing behind on a terminal that is closed, and stops in order on Ctrl-C', async (t) => {
  const dataDir = await makeSeededDir(t);
  const variables = { DATA_DIR: dataDir, PORT: '0', LOG_LEVEL: 'info' };
  const closed = startOnTerminal(t, ['npm', 'start'], variables);
  await ready(closed);
  closed.closeTerminal();
  t.ok(await closed.endedWithin(15_000));
  await untilFree(dataDir);

  const interrupted = startOnTerminal(t, ['npm', 'start'], variables);
  await ready(interrupted);
  interrupted.type('\x03');
  t.ok(await interrupted.endedWithin(15_000));
  t.match(interrupted.output(), /Stopping.*"signal":"SIGINT".*Stopped/s);
  t.notMatch(interrupted.output(), /at once/, 'not by a second signal');
  await untilFree(dataDir);
});

/** npm may end before the process that it has started. */
async function untilFree(dataDir: string): Promise<void> {
  const deadline = Date.now() + 15_000;
  for (;;) {
    try {
      return await lockAndRelease(dataDir);
    } catch (error) {
      if (Date.now() > deadline) throw error;
      await sleep(50);
    }
  }
}

t.test('a stdio process whose terminal is closed ends with 0', async (t) => {
  const dataDir = await makeSeededDir(t);
  endServiceAtEnd(t, dataDir);
  const stdio = startOnTerminal(t, [process.execPath, BRIDGE], { PORT_ALLOCATOR_DATA_DIR: dataDir });
  const call = { name: 'get-port', arguments: { project: 'odin', service: 'api' } };
  stdio.type(`${JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: call })}\n`);
  await stdio.until(/"port":3300/);
  stdio.closeTerminal();
  t.match(await stdio.endedWithin(15_000), { exitCode: 0, signal: 0 });
});

t.test('a service whose log cannot be written works, and ends with 0', async (t) => {
  const full = openSync('/dev/full', 'w');
  for (const [how, stdio] of [
    ['the disk is full', full],
    ['the reader has gone', 'pipe'],
  ] as const) {
    const dataDir = await makeSeededDir(t);
    const port = await findFreePort();
    const child = spawn(process.execPath, [join(packageRoot, 'dist/src/main.js')], {
      env: { PATH: process.env.PATH, DATA_DIR: dataDir, PORT: String(port), LOG_LEVEL: 'info' },
      stdio: ['ignore', stdio, stdio],
    });
    t.teardown(() => child.kill('SIGKILL'));
    for (const stream of [child.stdout, child.stderr]) stream?.destroy();
    const call = callerOf(`http://127.0.0.1:${port}`);
    while (child.exitCode === null && (await call('GET', '/readyz').catch(() => null))?.status !== 200) await sleep(50);
    t.equal((await call('PUT', '/v1/projects/consilio/services/api')).body.port, 3100, how);
    child.kill('SIGTERM');
    t.same(await once(child, 'exit'), [0, null], how);
    await lockAndRelease(dataDir);
  }
  closeSync(full);
});

async function findFreePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  return port;
}

t.test('a command whose log cannot be written does its work', async (t) => {
  const dataDir = await makeSeededDir(t);
  const full = openSync('/dev/full', 'w');
  const child = spawn(process.execPath, [join(packageRoot, 'dist/src/cli/index.js'), 'seed'], {
    env: { PATH: process.env.PATH, DATA_DIR: dataDir },
    stdio: ['ignore', 'ignore', full],
  });
  t.same(await once(child, 'exit'), [0, null]);
  closeSync(full);
});

t.test('a service that logs into a pipe that nobody reads goes on, and ends within its patience', async (t) => {
  const service = startService(t, { DATABASE_URL: await createDatabase(t), SEED_ON_START: 'true', LOG_LEVEL: 'info' });
  await service.ready();
  service.child.stdout?.removeAllListeners('data').pause();
  // Each line has over 300 bytes. A pipe holds 64 KiB, the socket that Node uses instead about 200.
  for (let i = 0; i < 900; i++) await service.call('PUT', `/v1/projects/shared-services/services/s${i}`);
  const began = Date.now();
  service.child.kill('SIGTERM');
  const [code, signal] = await once(service.child, 'exit');
  // The thread that writes to the pipe cannot be ended, so that the process has to kill itself.
  t.ok(code === 0 || signal === 'SIGKILL', `ended with ${code ?? signal}`);
  t.ok(Date.now() - began < 10_000, 'at once, or after the 2 s that the last line may take');
  service.child.stdout?.resume(); // its end is waited for when the test ends
});
