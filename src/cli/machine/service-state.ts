import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { isAlive, type LockHolder, readHolder } from '../../embedded/holder.js';
import { askService, type RunningService } from '../../embedded/running-service.js';

/** What there is of a service on a data folder. To find out starts none. */
export type ServiceState =
  | { state: 'running'; service: RunningService }
  | { state: 'none' }
  /** A process holds the lock and gives no answer: it starts or ends, hangs, or cannot be reached from here. */
  | { state: 'unreachable'; holder: LockHolder | null; isSilent: boolean };

export async function findService(dataDir: string): Promise<ServiceState> {
  const holder = await readHolder(dataDir);
  const answer = holder?.path === undefined ? 'unreachable' : await askService(holder.path, 'GET');
  if (typeof answer === 'object') return { state: 'running', service: answer };
  const isHeld = (await isLockHeld(dataDir)) ?? (holder !== null && isAlive(holder));
  return isHeld ? { state: 'unreachable', holder, isSilent: answer === 'silent' } : { state: 'none' };
}

/**
 * Asks the kernel whether the lock file is locked. To try the lock would take it for a moment, and a service that starts
 * at that moment would be refused.
 * @returns null if the kernel does not tell (only Linux does, in proc(5))
 */
async function isLockHeld(dataDir: string): Promise<boolean | null> {
  const locks = await readFile('/proc/locks', 'utf8').catch(() => null);
  if (locks === null) return null;
  const file = await stat(join(dataDir, 'lock')).catch(() => null);
  // `1: OFDLCK ADVISORY  WRITE -1 08:01:1234 0 EOF`. The device is left out, because btrfs gives another one here.
  return (
    file !== null && locks.split('\n').some((line) => / [\da-f]+:[\da-f]+:(\d+) /.exec(line)?.[1] === `${file.ino}`)
  );
}
