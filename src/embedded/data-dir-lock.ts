import { constants } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { tryLock } from 'fs-native-extensions';
import { StartError } from '../errors.js';
import { explainingDataDir, openOwnFile, requirePrivateFolder } from './data-folder.js';
import { announce, forget, type HolderMode, type LockHolder, readHolder } from './holder.js';
import { removeDeadSocket } from './socket.js';

/** Another process has the data folder open. */
export class DataDirLockedError extends StartError {
  override readonly name = 'DataDirLockedError';

  constructor(
    dataDir: string,
    readonly holder: LockHolder | null,
  ) {
    const { pid, url = null } = holder ?? {};
    const who = [pid !== undefined && `pid ${pid}`, url].filter(Boolean).join(', ');
    super(
      `${dataDir} is in use by another Port Allocator${who && ` (${who})`}, and two processes on one embedded database ` +
        `would lose data. Use the one that is running${url === null ? '' : `: ${url}`}, stop it first ` +
        '(`port-allocator stop`), give this one a DATA_DIR of its own, or run both over PostgreSQL (DATABASE_URL).',
    );
  }
}

export interface DataDirLock {
  /**
   * Whether the locked file is gone from the data directory, because somebody has removed or moved that. Then this lock
   * keeps no other process from a directory that is made there anew.
   */
  isLost(): Promise<boolean>;
  release(): Promise<void>;
}

/**
 * Locks the data folder for this process. If there is none, it is created.
 *
 * The kernel holds the lock (an open file description lock on Linux, flock on macOS, LockFileEx on Windows), and
 * releases it as soon as the process is dead, however it died. Who holds the lock is written into a second file,
 * because on Windows nobody can read a locked file. The second file locks nothing: what it says is true only while the
 * lock is held.
 * @throws DataDirLockedError
 */
export async function lockDataDir(dataDir: string, mode: HolderMode = 'command'): Promise<DataDirLock> {
  const lock = await lockFile(dataDir, 'lock');
  if (!lock) throw new DataDirLockedError(dataDir, await readHolder(dataDir));
  try {
    await explainingDataDir(async () => {
      const last = await readHolder(dataDir);
      await announce(dataDir, { mode, url: null });
      if (last?.path) await removeDeadSocket(last.path);
    });
  } catch (error) {
    await lock.release();
    throw error;
  }
  const { isLost } = lock;
  return {
    isLost,
    async release() {
      if (!(await isLost())) await forget(dataDir);
      await lock.release();
    },
  };
}

/**
 * Locks the data folder for a background service, unless a service in the foreground or a command waits for it.
 * Without this rule they might never get the lock: they look only from time to time whether it is free, and with five
 * agents at work one of them would always have started another background service by then.
 * @throws DataDirLockedError
 */
export async function lockUnlessAwaited(dataDir: string): Promise<DataDirLock> {
  // Held until this process has written the holder's file, so that whoever waits never reads who held the lock before.
  const turn = await lockFile(dataDir, 'service.lock', { shared: true });
  if (!turn) throw new DataDirLockedError(dataDir, await readHolder(dataDir));
  try {
    return await lockDataDir(dataDir, 'background');
  } finally {
    await turn.release();
  }
}

/**
 * Keeps background services from locking the data folder, for a process that waits for the lock.
 * @returns null while another process does so, or while one is in `lockUnlessAwaited`; try again then
 */
export function awaitDataDir(dataDir: string): Promise<DataDirLock | null> {
  return lockFile(dataDir, 'service.lock');
}

/** Whether a process holds the lock. The folder has to exist. */
export async function isLocked(dataDir: string): Promise<boolean> {
  const lock = await lockFile(dataDir, 'lock', { shared: true });
  await lock?.release();
  return lock === null;
}

/** @returns null if another process has locked the file */
async function lockFile(dataDir: string, name: string, options?: { shared: boolean }): Promise<DataDirLock | null> {
  const path = join(dataDir, name);
  const file = await explainingDataDir(async () => {
    await requirePrivateFolder(dataDir);
    return openOwnFile(path, constants.O_RDWR | constants.O_CREAT);
  });
  if (tryLock(file.fd, options)) {
    const { ino } = await file.stat();
    const isLost = () =>
      stat(path).then(
        (found) => found.ino !== ino,
        (error: NodeJS.ErrnoException) => error.code === 'ENOENT',
      );
    return { isLost, release: () => file.close() };
  }
  await file.close();
  return null;
}
