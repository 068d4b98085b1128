import { mkdir, open, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { tryLock } from 'fs-native-extensions';

/** Another process has the data directory open. */
export class DataDirLockedError extends Error {
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

/** Where the lock's holder serves the other processes of its user. */
export interface PeerEndpoint {
  url: string;
  /** Whoever can read the holder's file could read the database too. */
  token: string;
  /** Whether it gives way to a service that starts: a stdio process does, a service does not. */
  yields: boolean;
}

export interface LockHolder {
  pid: number;
  /** Left out until it serves. */
  endpoint?: PeerEndpoint;
}

export interface DataDirLock {
  release(): Promise<void>;
}

/**
 * Takes the data directory for this process, creating it if need be.
 *
 * The lock is the kernel's (an open file description lock on Linux, flock on macOS, LockFileEx on
 * Windows), so it is free the moment its holder is dead, however it died. Who holds it stands in a file
 * of its own, because Windows lets nobody read a locked one; that file is a hint, no lock: what it says is
 * true only while the lock is held.
 * @throws DataDirLockedError
 */
export async function lockDataDir(dataDir: string): Promise<DataDirLock> {
  const lock = await lockFile(dataDir, 'lock');
  if (!lock) throw new DataDirLockedError(dataDir, await readHolder(dataDir));
  await announce(dataDir);
  return lock;
}

/**
 * Takes the data directory as a stdio process does: not while a service that starts waits for it. Without this,
 * five agents that call would take it from one another before the service comes by again, and it would never start.
 * @throws DataDirLockedError
 */
export async function lockUnlessAwaited(dataDir: string): Promise<DataDirLock> {
  // Kept until the new holder has said who it is: a service that waits never reads what an earlier one had said.
  const turn = await lockFile(dataDir, 'service.lock', { shared: true });
  if (!turn) throw new DataDirLockedError(dataDir, await readHolder(dataDir));
  try {
    return await lockDataDir(dataDir);
  } finally {
    await turn.release();
  }
}

/**
 * Keeps stdio processes from taking the data directory, for a service that starts and until it has it.
 * @returns null while another one does so, or a stdio process is just looking
 */
export function awaitDataDir(dataDir: string): Promise<DataDirLock | null> {
  return lockFile(dataDir, 'service.lock');
}

/** @returns null when another process has it */
async function lockFile(dataDir: string, name: string, options?: { shared: boolean }): Promise<DataDirLock | null> {
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  const file = await open(join(dataDir, name), 'a+', 0o600);
  if (tryLock(file.fd, options)) return { release: () => file.close() };
  await file.close();
  return null;
}

/** Says who holds the lock, and where it serves. For the lock's holder alone. */
export async function announce(dataDir: string, endpoint?: PeerEndpoint): Promise<void> {
  const holder: LockHolder = { pid: process.pid, ...(endpoint && { endpoint }) };
  const path = join(dataDir, 'holder.json');
  // Written beside it and renamed, so that nobody reads half of it.
  await writeFile(`${path}.new`, JSON.stringify(holder), { mode: 0o600 });
  await rename(`${path}.new`, path);
}

/** @returns null when there is none */
export async function readHolder(dataDir: string): Promise<LockHolder | null> {
  try {
    return JSON.parse(await readFile(join(dataDir, 'holder.json'), 'utf8'));
  } catch {
    return null; // never written, or removed by hand: callers do without it
  }
}
