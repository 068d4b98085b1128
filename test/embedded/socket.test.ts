// Where the service answers other processes of its user, and that nothing is sent to anybody else who listens there.
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmod, chown, lstat, readdir, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';
import t, { type Test } from 'tap';
import { lockDataDir } from '../../src/embedded/data-dir-lock.js';
import { askService } from '../../src/embedded/running-service.js';
import { listenPrivately, removeSocket } from '../../src/embedded/socket.js';
import { makeDataDir } from '../helpers/database.js';
import { NOBODY, withoutRoot } from '../helpers/other-user.js';

const ask = (path: string) => askService(path, 'GET');

/** Listens with a server that counts the bytes that it gets, and answers nothing. */
async function listen(t: Test, path: string) {
  let bytes = 0;
  const server = createServer((socket) => socket.on('data', (data) => (bytes += data.length)).on('error', () => {}));
  server.listen(path);
  await once(server, 'listening');
  t.teardown(() => server.close());
  return { bytes: () => bytes };
}

t.test(
  'the socket is in the data folder, for this user alone, and replaces what a killed process has left',
  async (t) => {
    const dataDir = await makeDataDir(t);
    await (await lockDataDir(dataDir)).release();
    await writeFile(join(dataDir, 'socket'), 'left');
    const path = await listenPrivately(dataDir, (path) => listen(t, path));
    t.equal(path, join(dataDir, 'socket'));
    const found = await lstat(path);
    t.ok(found.isSocket());
    t.equal(found.mode & 0o077, 0);
  },
);

t.test('where the data folder can have none, the socket is in a new folder of this user', async (t) => {
  const dataDir = await makeDataDir(t);
  const paths: string[] = [];
  const path = await listenPrivately(dataDir, async (path) => {
    paths.push(path);
    if (path.startsWith(dataDir)) throw Object.assign(new Error('no sockets here'), { code: 'EPERM' });
    await listen(t, path);
  });
  t.same(paths, [join(dataDir, 'socket'), path]);
  t.equal((await lstat(dirname(path))).mode & 0o777, 0o700);
  await removeSocket(path);
  await t.rejects(lstat(dirname(path)), { code: 'ENOENT' });
});

t.test('only sockets that this program made are removed', async (t) => {
  const folder = t.testdir({ 'port-allocator-socket-x': { socket: '', other: '' }, data: { socket: '' } });
  await removeSocket(join(folder, 'data', 'socket'));
  await removeSocket(join(folder, 'port-allocator-socket-x', 'other'));
  t.same(await readdir(join(folder, 'data')), ['socket']);
  t.same((await readdir(join(folder, 'port-allocator-socket-x'))).sort(), ['other', 'socket']);
});

t.test('whoever listens in the place of a dead service gets nothing', async (t) => {
  const folder = await makeDataDir(t);
  const path = join(folder, 'socket');
  t.equal(await ask(path), 'unreachable', 'nothing is there');
  const { bytes } = await listen(t, path);

  t.test('in a folder that others can write to', async (t) => {
    for (const mode of [0o777, 0o1777, 0o770, 0o701]) {
      await chmod(folder, mode);
      t.equal(await ask(path), 'unreachable');
    }
    await chmod(folder, 0o700);
  });

  t.test('behind a link', async (t) => {
    const other = join(await makeDataDir(t), 'socket');
    await symlink(path, other);
    t.equal(await ask(other), 'unreachable', 'to the socket');
    const link = join(await makeDataDir(t), 'link');
    await symlink(folder, link);
    t.equal(await ask(join(link, 'socket')), 'unreachable', 'to its folder');
  });

  t.test('in a folder of another user', { skip: withoutRoot }, async (t) => {
    await chown(folder, NOBODY, NOBODY);
    t.equal(await ask(path), 'unreachable');
    await chown(folder, 0, 0);
    await chown(path, NOBODY, NOBODY);
    t.equal(await ask(path), 'unreachable', 'with a socket of another user');
    await chown(path, 0, 0);
  });

  t.test('and a process of this user does', async (t) => {
    t.equal(bytes(), 0);
    t.equal(await ask(path), 'silent');
    t.ok(bytes() > 0);
  });
});

t.test('nobody is at the socket of a process that was killed', async (t) => {
  const path = join(await makeDataDir(t), 'socket');
  const die = "require('net').createServer().listen(process.argv[1], () => process.kill(process.pid, 'SIGKILL'))";
  spawnSync(process.execPath, ['-e', die, path]);
  t.ok((await lstat(path)).isSocket());
  t.equal(await ask(path), 'unreachable');
});
