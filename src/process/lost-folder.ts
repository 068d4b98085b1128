import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { DataDirLock } from '../embedded/data-dir-lock.js';

const CHECK_MS = 1000;
const LOG_MS = 50;

/**
 * Ends this process when its data directory is removed or moved. PGlite opens files by their paths: a process that went
 * on would write into a database that another one has made there by then, and did so at the latest with the checkpoint
 * of its end, after which that database could not be opened any more. For the same reason nothing is closed, as if the
 * process had crashed.
 */
export function endWhenLost(lock: DataDirLock, log: Logger): DataDirLock {
  const timer = setInterval(async () => {
    if (!(await lock.isLost())) return;
    clearInterval(timer);
    log.fatal('The data folder was removed or moved; ending at once');
    await sleep(LOG_MS);
    process.kill(process.pid, 'SIGKILL');
  }, CHECK_MS);
  timer.unref();
  const release = () => {
    clearInterval(timer);
    return lock.release();
  };
  return { isLost: lock.isLost, release };
}
