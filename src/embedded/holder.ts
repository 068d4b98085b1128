import { constants } from 'node:fs';
import { rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { HOLDER_FILE, openOwnFile } from './data-folder.js';

/** Where the process that holds the lock serves the other processes of the same user. */
export interface PeerEndpoint {
  /** The absolute path of a Unix domain socket. On Windows the name of a named pipe. */
  path: string;
  /** Whether it releases the lock for a service that starts. A stdio process does, a service does not. */
  yields: boolean;
}

export interface LockHolder {
  pid: number;
  /** Missing until the process accepts calls. */
  endpoint?: PeerEndpoint;
}

/**
 * Writes who holds the lock, and where that process serves others. Only the process that holds the lock may call this.
 */
export async function announce(dataDir: string, endpoint?: PeerEndpoint): Promise<void> {
  const holder: LockHolder = { pid: process.pid, ...(endpoint && { endpoint }) };
  const path = join(dataDir, HOLDER_FILE);
  // Written under another name and renamed, so that nobody reads half of the file. With the flag `wx` it is always a new
  // file, and no link is followed. A killed process may have left one.
  await rm(`${path}.new`, { force: true });
  await writeFile(`${path}.new`, JSON.stringify(holder), { mode: 0o600, flag: 'wx' });
  await rename(`${path}.new`, path);
}

/** @returns null if there is no such file, or if it is not readable, or was not written by this user */
export async function readHolder(dataDir: string): Promise<LockHolder | null> {
  try {
    const file = await openOwnFile(join(dataDir, HOLDER_FILE), constants.O_RDONLY);
    const { pid, endpoint } = JSON.parse(await file.readFile('utf8').finally(() => file.close()));
    const path = endpoint?.path;
    return { pid, ...(typeof path === 'string' && { endpoint: { path, yields: endpoint.yields !== false } }) };
  } catch {
    return null;
  }
}
