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

/**
 * Takes the data directory for this process, creating it if need be.
 *
 * The lock is the kernel's (an open file description lock on Linux, flock on macOS, LockFileEx on
 * Windows), so it is free the moment its holder is dead, however it died. Who holds it stands in a file
 * of its own, because Windows lets nobody read a locked one; that file is a hint, no lock: what it says is
 * true only while the lock is held.
 * @throws DataDirLockedError
 */
export async function lockDataDir(dataDir: string): Promise<{ release(): Promise<void> }> {
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  const file = await open(join(dataDir, 'lock'), 'a+', 0o600);
  if (!tryLock(file.fd)) {
    await file.close();
    throw new DataDirLockedError(dataDir, await readHolder(dataDir));
  }
  await announce(dataDir);
  return { release: () => file.close() };
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
