import { setTimeout as sleep } from 'node:timers/promises';
import { UnreachableError } from '../errors.js';
import { awaitDataDir, type DataDirLock, DataDirLockedError } from './data-dir-lock.js';
import { type LockHolder, PATIENCE_MS, UNREACHABLE_MS } from './holder.js';
import { askService } from './running-service.js';

export const POLL_MS = 50;

/**
 * Opens something that needs the data folder's lock, for a service in the foreground or a command of an operator.
 *
 * A background service that holds the lock is asked to end. It finishes what is under way, and no other background
 * service takes the lock meanwhile. Clients wait and call the new service. For example, `port-allocator serve` starts
 * while five agents are at work on a background service: they notice a short delay.
 *
 * A service in the foreground was started by a person, and is never ended for another one.
 * @throws DataDirLockedError if a service in the foreground holds the lock, or somebody does not give it up in time
 * @throws UnreachableError if the holder cannot be reached
 */
export async function takeOver<T>(dataDir: string, open: () => Promise<T>): Promise<T> {
  const deadline = Date.now() + PATIENCE_MS;
  let turn: DataDirLock | null = null;
  const requireReachable = watchReachability(dataDir);
  try {
    for (;;) {
      turn ??= await awaitDataDir(dataDir);
      const opened = turn ? await orLocked(open) : new DataDirLockedError(dataDir, null);
      if (!(opened instanceof DataDirLockedError)) return opened;
      const { holder } = opened;
      const reached = holder?.path === undefined ? null : await askToEnd(holder.path);
      if (reached === 'foreground' || Date.now() >= deadline) throw opened;
      requireReachable(reached !== 'unreachable', holder);
      await sleep(POLL_MS);
    }
  } finally {
    await turn?.release();
  }
}

/** @returns how the holder of the lock runs. If in the background, it has been asked to end. */
async function askToEnd(path: string): Promise<'foreground' | 'background' | 'unreachable' | 'silent'> {
  const running = await askService(path, 'GET');
  if (typeof running === 'string') return running;
  if (running.mode === 'background') await askService(path, 'DELETE');
  return running.mode;
}

async function orLocked<T>(open: () => Promise<T>): Promise<T | DataDirLockedError> {
  try {
    return await open();
  } catch (error) {
    if (error instanceof DataDirLockedError) return error;
    throw error;
  }
}

/**
 * Tells apart a socket that is just being made or closed from one that cannot be reached from here.
 * @returns a function to be called at every attempt. It throws an UnreachableError when none has reached the holder for
 * UNREACHABLE_MS.
 */
export function watchReachability(dataDir: string): (isReached: boolean, holder: LockHolder | null) => void {
  let since: number | null = null;
  return (isReached, holder) => {
    since = isReached ? null : (since ?? Date.now());
    if (since === null || holder === null || Date.now() - since < UNREACHABLE_MS) return;
    const { pid, url, path } = holder;
    throw new UnreachableError(
      `${dataDir} is in use by a Port Allocator that cannot be reached from here (pid ${pid}, at ${path}): it runs in a ` +
        'container, or on another machine that shares the folder. ' +
        `${url === null ? 'Use it from there' : `Use that one (there it is ${url})`}, stop it there, or set DATA_DIR to ` +
        'another folder.',
    );
  };
}
