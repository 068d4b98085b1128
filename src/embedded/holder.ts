import { constants } from 'node:fs';
import { rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { HOLDER_FILE, openOwnFile } from './data-folder.js';

/**
 * How long to wait for a living process that holds the lock and accepts no calls. It may still be opening a new database,
 * which took 37 s on a busy machine, or has to finish what is under way. A command has to end.
 */
export const PATIENCE_MS = 120_000;
/**
 * How long a living holder may have announced a socket that cannot be reached. Two services that take turns need some
 * milliseconds between the end of one socket and the beginning of the next.
 */
export const UNREACHABLE_MS = 1500;

/**
 * What holds the lock: a service that a person has started, one that a client has started (`background.ts`), or a
 * command of an operator, such as a backup, which serves nobody.
 */
export type HolderMode = 'foreground' | 'background' | 'command';

const MODES: readonly unknown[] = ['foreground', 'background', 'command'] satisfies HolderMode[];

/** Who holds the lock of the data folder, as `holder.json` says it. */
export interface LockHolder {
  pid: number;
  mode: HolderMode;
  /** Where a person can open the service in a browser. Null in the background, and as long as it does not listen. */
  url: string | null;
  /**
   * Where it answers HTTP: the absolute path of a Unix domain socket, on Windows the name of a named pipe. Missing while
   * it starts and while it ends.
   */
  path?: string;
}

/** Writes that this process holds the lock. Only the process that holds it may call this. */
export async function announce(dataDir: string, holding: Omit<LockHolder, 'pid'>): Promise<void> {
  const holder: LockHolder = { pid: process.pid, ...holding };
  const path = join(dataDir, HOLDER_FILE);
  // Written under another name and renamed, so that nobody reads half of the file. With the flag `wx` it is always a new
  // file, and no link is followed. A killed process may have left one.
  await rm(`${path}.new`, { force: true });
  await writeFile(`${path}.new`, JSON.stringify(holder), { mode: 0o600, flag: 'wx' });
  await rename(`${path}.new`, path);
}

/** Removes what this process has written, before it releases the lock. */
export async function forget(dataDir: string): Promise<void> {
  await rm(join(dataDir, HOLDER_FILE), { force: true });
}

/** @returns null if there is no such file, or if it is not readable, or was not written by this user */
export async function readHolder(dataDir: string): Promise<LockHolder | null> {
  try {
    const file = await openOwnFile(join(dataDir, HOLDER_FILE), constants.O_RDONLY);
    const { pid, mode, url, path } = JSON.parse(await file.readFile('utf8').finally(() => file.close()));
    if (!Number.isSafeInteger(pid) || !MODES.includes(mode)) return null;
    return { pid, mode, url: typeof url === 'string' ? url : null, ...(typeof path === 'string' && { path }) };
  } catch {
    return null;
  }
}

/**
 * Whether there is a process with the holder's number. It may be another one that got the number since. One of another
 * user, which may not be signalled, certainly is: the data folder belongs to this user alone.
 */
export function isAlive({ pid }: Pick<LockHolder, 'pid'>): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
