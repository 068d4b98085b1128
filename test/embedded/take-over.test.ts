// Who gets the lock of a data folder when somebody has it: who is asked to end, who is refused, and what is said.
import { once } from 'node:events';
import { createServer } from 'node:http';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import {
  awaitDataDir,
  type DataDirLock,
  DataDirLockedError,
  isLocked,
  lockDataDir,
  lockUnlessAwaited,
} from '../../src/embedded/data-dir-lock.js';
import { announce, readHolder } from '../../src/embedded/holder.js';
import { takeOver } from '../../src/embedded/take-over.js';
import { stopService } from '../../src/operator/stop.js';
import { makeDataDir } from '../helpers/database.js';

const URL = 'http://127.0.0.1:8080';

/** Holds the lock and answers at a socket, as a service does. When it is asked to end, it releases the lock. */
async function hold(t: Test, mode: 'foreground' | 'background') {
  const dataDir = await makeDataDir(t);
  const lock = await lockDataDir(dataDir, mode);
  const methods: string[] = [];
  const about = { pid: process.pid, mode, url: mode === 'foreground' ? URL : null, dataDir };
  const path = join(dataDir, 'socket');
  const server = createServer((request, answer) => {
    methods.push(request.method as string);
    answer.writeHead(request.method === 'DELETE' ? 202 : 200).end(JSON.stringify(about));
    if (request.method === 'DELETE') server.close(() => void lock.release());
  });
  await once(server.listen(path), 'listening');
  await announce(dataDir, { mode, url: about.url, path });
  t.teardown(() => server.close());
  return { dataDir, lock, methods, about };
}

const take = (dataDir: string): Promise<DataDirLock> => takeOver(dataDir, () => lockDataDir(dataDir));

t.test('a service in the background is asked to end, and no other one takes the lock meanwhile', async (t) => {
  const { dataDir, methods } = await hold(t, 'background');
  const taking = take(dataDir);
  while ((await readHolder(dataDir))?.mode === 'background' && methods.length === 0)
    await t.rejects(lockUnlessAwaited(dataDir), DataDirLockedError);
  const lock = await taking;
  t.same(methods, ['GET', 'DELETE']);
  t.match(await readHolder(dataDir), { pid: process.pid, mode: 'command' });
  await lock.release();
  t.equal(await readHolder(dataDir), null, 'and says so no longer than that');
});

t.test('one in the foreground is never ended: its pid, its URL and the way to stop it are named at once', async (t) => {
  const { dataDir, lock, methods } = await hold(t, 'foreground');
  const began = performance.now();
  await t.rejects(take(dataDir), {
    name: 'DataDirLockedError',
    message:
      `${dataDir} is in use by another Port Allocator (pid ${process.pid}, ${URL}), and two processes on one embedded ` +
      `database would lose data. Use the one that is running: ${URL}, stop it first (\`port-allocator stop\`), give ` +
      'this one a DATA_DIR of its own, or run both over PostgreSQL (DATABASE_URL).',
  });
  t.ok(performance.now() - began < 1000);
  t.same(methods, ['GET']);
  await (await awaitDataDir(dataDir))?.release(); // whoever was refused keeps nobody else away
  await lock.release();
});

for (const mode of ['foreground', 'background'] as const) {
  t.test(`a holder in the ${mode} that cannot be reached is told as that within two seconds`, async (t) => {
    const dataDir = await makeDataDir(t);
    const lock = await lockDataDir(dataDir, mode);
    const url = mode === 'foreground' ? URL : null;
    await announce(dataDir, { mode, url, path: '/data/socket' });
    const refusal = {
      name: 'UnreachableError',
      message: `${dataDir} is in use by a Port Allocator that cannot be reached from here (pid ${process.pid}, at /data/socket): it runs in a container, or on another machine that shares the folder. ${url ? `Use that one (there it is ${url})` : 'Use it from there'}, stop it there, or set DATA_DIR to another folder.`,
    };
    const began = performance.now();
    await Promise.all([t.rejects(take(dataDir), refusal), t.rejects(stopService(dataDir), refusal)]);
    t.ok(performance.now() - began < 2500, `${performance.now() - began} ms`);
    await lock.release();
  });
}

t.test('a holder that still starts, or that is a command, is waited for', async (t) => {
  const dataDir = await makeDataDir(t);
  for (const mode of ['background', 'foreground', 'command'] as const) {
    const lock = await lockDataDir(dataDir, mode);
    const taking = take(dataDir);
    let isTaken = false;
    taking.then(() => (isTaken = true));
    await new Promise((resolve) => setTimeout(resolve, 300));
    t.equal(isTaken, false, mode);
    await lock.release();
    await (await taking).release();
  }
});

t.test('stopping ends either, and says which', async (t) => {
  for (const mode of ['foreground', 'background'] as const) {
    const { dataDir, methods, about } = await hold(t, mode);
    t.same(await stopService(dataDir), about);
    t.same(methods, ['DELETE']);
    t.equal(await isLocked(dataDir), false);
    t.equal(await stopService(dataDir), null);
  }
  const missing = join(await makeDataDir(t), 'missing');
  t.equal(await stopService(missing), null);
  t.equal(await readHolder(missing), null, 'and makes no folder');
});
