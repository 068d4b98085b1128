import { once } from 'node:events';
import { lstat, mkdtemp, realpath, rm, rmdir } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { StartError } from '../errors.js';
import { isOwn, isPrivate, SOCKET } from './data-folder.js';

const isWindows = process.platform === 'win32';
/** The bytes of `sun_path` without the last, which is zero. libuv cuts a longer path off without an error. */
const PATH_LIMIT_BYTES = process.platform === 'linux' ? 107 : 103;
const TEMPORARY_PREFIX = 'port-allocator-socket-';

/**
 * Listens on a Unix domain socket that no other user of the machine can connect to, because it is in a folder that only
 * this user can enter: the data folder or, where its path is too long for a socket or its file system has none, a new
 * folder for temporary files. The umask of the process closes the socket itself too. Windows has named pipes instead,
 * which only their creator can write to.
 *
 * Only the process that holds the data folder's lock may call this, so that a socket that lies there already is that
 * of a process that is dead.
 * @returns where it listens
 */
export async function listenPrivately(dataDir: string, listen: (path: string) => Promise<unknown>): Promise<string> {
  if (isWindows) {
    const pipe = `\\\\.\\pipe\\port-allocator-${crypto.randomUUID()}`;
    await listen(pipe);
    return pipe;
  }
  const path = join(await realpath(dataDir), SOCKET);
  await rm(path, { force: true });
  if (Buffer.byteLength(path) <= PATH_LIMIT_BYTES && (await succeeds(listen(path)))) return path;
  const other = join(await mkdtemp(join(await realpath(tmpdir()), TEMPORARY_PREFIX)), SOCKET);
  if (Buffer.byteLength(other) > PATH_LIMIT_BYTES) {
    await removeSocket(other);
    throw new StartError(
      `DATA_DIR: no socket can be made in ${dataDir}, and the folder for temporary files has too long a path for one ` +
        `(more than ${PATH_LIMIT_BYTES} bytes in all). Set TMPDIR to a shorter one.`,
    );
  }
  await listen(other);
  return other;
}

/** Removes what `listenPrivately` has left in the folder for temporary files. Node itself removes a socket it closes. */
export async function removeSocket(path: string): Promise<void> {
  const folder = dirname(path);
  if (basename(path) !== SOCKET || !basename(folder).startsWith(TEMPORARY_PREFIX)) return;
  await rm(path, { force: true });
  await rmdir(folder).catch(() => {}); // it may be gone
}

/**
 * Removes the socket of an earlier process that was killed. If somebody listens there, it is left: DATA_DIR is then a
 * copy of the folder that this other process works on.
 */
export async function removeDeadSocket(path: string): Promise<void> {
  const connection = connect(path);
  const isAlive = await succeeds(once(connection, 'connect'));
  connection.destroy();
  if (!isAlive) await removeSocket(path);
}

/**
 * Checks, before anything is sent to a socket, that only a process of this user can listen on it. If the process that
 * made it has died, somebody else may have put something in its place where it was in the folder for temporary files.
 */
export async function isOwnSocket(path: string): Promise<boolean> {
  if (isWindows) return true;
  // First the folder: if that is private, nobody else can change what is in it after it was looked at.
  if (!isPrivate(await lstat(dirname(path)))) return false;
  const socket = await lstat(path);
  return socket.isSocket() && isOwn(socket);
}

const succeeds = (work: Promise<unknown>): Promise<boolean> =>
  work.then(
    () => true,
    () => false,
  );
