import { setTimeout as sleep } from 'node:timers/promises';
import { isLocked } from '../embedded/data-dir-lock.js';
import { exists } from '../embedded/data-folder.js';
import { type LockHolder, PATIENCE_MS, readHolder } from '../embedded/holder.js';
import { askService, type RunningService } from '../embedded/running-service.js';
import { POLL_MS, watchReachability } from '../embedded/take-over.js';
import { UnreachableError } from '../errors.js';

/**
 * Ends the service of a data folder, in the foreground or in the background, and waits until it has ended.
 * @returns null if no service has the directory
 * @throws UnreachableError if it cannot be reached, or does not end in time
 */
export async function stopService(dataDir: string): Promise<RunningService | null> {
  if (!(await exists(dataDir))) return null;
  const deadline = Date.now() + PATIENCE_MS;
  const requireReachable = watchReachability(dataDir);
  let stopped: RunningService | null = null;
  while (await isLocked(dataDir)) {
    const holder = await readHolder(dataDir);
    if (holder?.mode === 'command' || (stopped && holder?.pid !== stopped.pid)) break;
    if (stopped === null && holder?.path !== undefined) {
      const answer = await askService(holder.path, 'DELETE');
      requireReachable(answer !== 'unreachable', holder);
      if (typeof answer !== 'string') stopped = answer;
    }
    if (Date.now() >= deadline) throw notEnded(dataDir, holder);
    await sleep(POLL_MS);
  }
  return stopped;
}

function notEnded(dataDir: string, holder: LockHolder | null): UnreachableError {
  const who = holder === null ? 'The service' : `The service (pid ${holder.pid})`;
  const kill = holder === null ? '' : `, or end it: kill ${holder.pid}`;
  return new UnreachableError(
    `${who} of ${dataDir} has not ended within ${PATIENCE_MS / 1000} s. Look into its log${kill}.`,
  );
}
