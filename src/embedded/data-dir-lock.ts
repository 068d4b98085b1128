import { mkdir, open, readFile, rename, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { tryLock } from 'fs-native-extensions';
import { StartError } from '../errors.js';

/** Another process has the data directory open. */
export class DataDirLockedError extends StartError {
  override readonly name = 'DataDirLockedError';

  constructor(
    dataDir: string,
    readonly holder: LockHolder | null,
  ) {
    super(
      `${dataDir} is in use by another Port Allocator${holder ? ` (pid ${holder.pid})` : ''}, and two processes on one embedded database would lose data. ` +
        'Use the one that is running, stop it first, give this one a DATA_DIR of its own, or run both over PostgreSQL (DATABASE_URL).',
    );
  }
}

/** Where the process that holds the lock serves the other processes of the same user. */
export interface PeerEndpoint {
  url: string;
  /** Stands in a file of the data directory. Whoever can read that file can read the database as well. */
  token: string;
  /** Whether it releases the lock for a service that starts. A stdio process does, a service does not. */
  yields: boolean;
}

export interface LockHolder {
  pid: number;
  /** Missing until the process accepts calls. */
  endpoint?: PeerEndpoint;
}

export interface DataDirLock {
  release(): Promise<void>;
}

/**
 * Does work with the files of the data directory.
 * @throws StartError if the file system refuses it
 */
export async function explainingDataDir<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const { syscall, message } = error as NodeJS.ErrnoException;
    if (syscall === undefined) throw error;
    throw new StartError(
      `DATA_DIR: ${message}. Set it to a folder that this user may write, or to one that can be created.`,
      { cause: error },
    );
  }
}

/**
 * Locks the data directory for this process, and creates it if there is none.
 *
 * The kernel holds the lock (an open file description lock on Linux, flock on macOS, LockFileEx on Windows), and
 * releases it as soon as the process is dead, however it died. Who holds the lock is written into a second file,
 * because on Windows nobody can read a locked file. The second file locks nothing: what it says is true only while the
 * lock is held.
 * @throws DataDirLockedError
 */
export async function lockDataDir(dataDir: string): Promise<DataDirLock> {
  const lock = await lockFile(dataDir, 'lock');
  if (!lock) throw new DataDirLockedError(dataDir, await readHolder(dataDir));
  await explainingDataDir(() => announce(dataDir));
  return lock;
}

/**
 * Locks the data directory for a stdio process, unless a service that starts waits for it. Without this rule a service
 * might never start: it looks only from time to time whether the lock is free, and with five agents at work one of
 * their processes would always have taken it again by then.
 * @throws DataDirLockedError
 */
export async function lockUnlessAwaited(dataDir: string): Promise<DataDirLock> {
  // Held until this process has written the holder's file, so that a waiting service never reads who held the lock
  // before.
  const turn = await lockFile(dataDir, 'service.lock', { shared: true });
  if (!turn) throw new DataDirLockedError(dataDir, await readHolder(dataDir));
  try {
    return await lockDataDir(dataDir);
  } finally {
    await turn.release();
  }
}

/**
 * Keeps stdio processes from locking the data directory, for a service that waits for the lock.
 * @returns null while another service does so, or while a stdio process is in `lockUnlessAwaited`; try again then
 */
export function awaitDataDir(dataDir: string): Promise<DataDirLock | null> {
  return lockFile(dataDir, 'service.lock');
}

/** @returns null if another process has locked the file */
async function lockFile(dataDir: string, name: string, options?: { shared: boolean }): Promise<DataDirLock | null> {
  const file = await explainingDataDir(async () => {
    await createFolder(dataDir);
    return open(join(dataDir, name), 'a+', 0o600);
  });
  if (tryLock(file.fd, options)) return { release: () => file.close() };
  await file.close();
  return null;
}

/**
 * Creates a folder, and the folders above it that are missing. Node's own recursive `mkdir` tries for ever where the
 * system answers ENOENT although the folder above exists, as in /proc.
 */
async function createFolder(path: string): Promise<void> {
  try {
    await mkdir(path, { mode: 0o700 });
  } catch (error) {
    if (await isFolder(path)) return;
    const above = dirname(path);
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || above === path || (await isFolder(above))) throw error;
    await createFolder(above);
    await createFolder(path);
  }
}

const isFolder = (path: string): Promise<boolean> =>
  stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );

/**
 * Writes who holds the lock, and where that process serves others. Only the process that holds the lock may call this.
 */
export async function announce(dataDir: string, endpoint?: PeerEndpoint): Promise<void> {
  const holder: LockHolder = { pid: process.pid, ...(endpoint && { endpoint }) };
  const path = join(dataDir, 'holder.json');
  // Written under another name and renamed, so that nobody reads half of the file.
  await writeFile(`${path}.new`, JSON.stringify(holder), { mode: 0o600 });
  await rename(`${path}.new`, path);
}

/** @returns null if there is no such file, or if it is not readable */
export async function readHolder(dataDir: string): Promise<LockHolder | null> {
  try {
    return JSON.parse(await readFile(join(dataDir, 'holder.json'), 'utf8'));
  } catch {
    return null;
  }
}
