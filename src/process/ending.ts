import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import closeWithGrace from 'close-with-grace';
import type { Logger } from 'pino';

/** How long ending waits for what still runs in the thread pool, such as the write of the last line of the log. */
const LAST_WRITES_MS = 2000;
const LAST_WRITES_POLL_MS = 5;
/** How much later than that the process is killed if it is stuck in JavaScript and cannot end itself. */
const STUCK_MARGIN_MS = 1000;

/**
 * The kernel sends these for faults of the process itself. A listener in JavaScript never gets to run, because the
 * fault repeats as soon as the kernel's signal handler returns, for ever (https://nodejs.org/api/process.html#signal-events).
 * Without a listener they end the process.
 */
const FAULTS = ['SIGABRT', 'SIGBUS', 'SIGFPE', 'SIGILL', 'SIGSEGV', 'SIGTRAP'] as const;

export interface Reason {
  signal?: NodeJS.Signals | undefined;
  /** An error that nobody caught. */
  err?: Error | undefined;
}

/**
 * On a signal, on an error that nobody caught, and when there is nothing left to do: closes what is open, and ends the
 * process. Whatever hangs, the process has ended shortly after `patienceMs`, and the kernel has released its locks.
 * @param close closes everything. If it fails or takes longer than `patienceMs`, the process ends with code 1.
 * @returns a function that does the same without a signal
 */
export function closeBeforeExit(log: Logger, patienceMs: number, close: (reason: Reason) => Promise<void>): () => void {
  let isClosing = false;
  const ending = closeWithGrace(
    {
      delay: false, // it would exit without waiting for the log's last line
      logger: false,
      skip: [...FAULTS, 'SIGHUP'],
      onSecondSignal(signal) {
        killIfStuck();
        log.error({ signal }, 'A second signal; ending at once');
      },
      onSecondError(err) {
        killIfStuck();
        log.error({ err }, 'A second unexpected error; ending at once');
      },
    },
    async ({ signal, err }) => {
      isClosing = true;
      killLater(patienceMs + LAST_WRITES_MS + STUCK_MARGIN_MS);
      await exit((await closeInTime(log, patienceMs, () => close({ signal, err }))) && !err ? 0 : 1);
    },
  );
  const end = () => {
    if (!isClosing) ending.close();
  };
  // When a terminal is closed, both the kernel and the shell send SIGHUP. Therefore a second one does not mean, as that
  // of another signal does, that somebody is tired of waiting.
  process.on('SIGHUP', end);
  return end;
}

async function closeInTime(log: Logger, patienceMs: number, close: () => Promise<void>): Promise<boolean> {
  try {
    const inTime = await Promise.race([close().then(() => true), sleep(patienceMs, false)]);
    if (!inTime) log.error({ patienceMs }, 'Not everything could be closed in time; ending anyway');
    return inTime;
  } catch (err) {
    log.error({ err }, 'Not everything could be closed');
    return false;
  }
}

/**
 * Exits once the thread pool is idle. Before it exits, Node waits for the threads of the pool without a limit: for the
 * write to a pipe that nobody reads, for example. If a thread is still busy after LAST_WRITES_MS, the process kills
 * itself instead.
 */
export async function exit(code: number): Promise<void> {
  const deadline = performance.now() + LAST_WRITES_MS;
  while (isThreadPoolBusy() && performance.now() < deadline) await sleep(LAST_WRITES_POLL_MS);
  killIfStuck();
  process.exit(code);
}

function killIfStuck(): void {
  if (isThreadPoolBusy()) process.kill(process.pid, 'SIGKILL');
}

/** Files and host names are what this service uses the thread pool for. */
function isThreadPoolBusy(): boolean {
  return process.getActiveResourcesInfo().some((name) => /^(FSReq|FileHandleCloseReq|GetAddrInfoReq)/.test(name));
}

/** Kills the process after a time, from a thread of its own: a main thread that is stuck runs no timer. */
function killLater(ms: number): void {
  const killing = `setTimeout(() => process.kill(process.pid, 'SIGKILL'), ${ms})`;
  const worker = new Worker(killing, { eval: true });
  worker.on('error', () => {}); // without memory for another thread, the process ends without this
  worker.unref();
}
