import { setTimeout as sleep } from 'node:timers/promises';
import { ALREADY_HELD, type Ended, startBackground } from '../embedded/background.js';
import { isAlive, type LockHolder, PATIENCE_MS, readHolder, UNREACHABLE_MS } from '../embedded/holder.js';
import { isOwnSocket } from '../embedded/socket.js';
import { ClientFailure } from './failure.js';

const POLL_MS = 25;
/** After this the user is told what is waited for. */
const TELL_AFTER_MS = 2000;
/** Between two starts, where one ends at once because another process has the lock. */
const START_AGAIN_MS = 500;
/**
 * How long to wait before a start where a process that seems to live has noted that it has the lock, and accepts no
 * calls: it starts, or ends. Another process may have got its pid.
 */
const START_BESIDE_LIVING_MS = 5000;

/** Where a service listens. Each has the same path, so that the process tells it from the one before. */
export interface Place {
  socketPath: string;
  pid: number;
}

/** A service that this process has started. */
interface Start {
  begunAt: number;
  /** Null while it runs. */
  ended: Ended | null;
}

/**
 * The service of a data folder on this machine. Where none runs, one is started in the background. Several clients may do
 * so at the same time: one of these services gets the lock, and the others end.
 */
export class LocalService {
  #start: Start | null = null;
  /** What could not be connected to last, and since when. */
  #failed: (Place & { since: number }) | null = null;
  #isTold = false;

  constructor(
    private readonly dataDir: string,
    private readonly onWait: (message: string) => void,
  ) {}

  /**
   * Finds the socket of the service, and starts the service if need be.
   * @throws ClientFailure unreachable
   */
  async find(signal: AbortSignal | undefined): Promise<Place> {
    const begun = Date.now();
    for (;;) {
      const holder = await readHolder(this.dataDir);
      if (holder?.path !== undefined) {
        const place = { socketPath: holder.path, pid: holder.pid };
        if (await this.#mayListen(place, holder)) return place;
      }
      const waited = Date.now() - begun;
      if (waited >= PATIENCE_MS) throw this.#tooLong(holder);
      if (waited >= TELL_AFTER_MS && !this.#isTold) {
        this.#isTold = true;
        this.onWait(this.#describeWait(holder));
      }
      const isHeld = holder !== null && holder.path === undefined && isAlive(holder);
      this.#startUnlessRunning(isHeld ? begun : null);
      await sleep(POLL_MS, undefined, signal && { signal }).catch(() => signal?.throwIfAborted());
    }
  }

  /** Notes that nobody could be connected to at a place that `find` has found. */
  noteFailure(place: Place): void {
    if (!this.#hasFailed(place)) this.#failed = { ...place, since: Date.now() };
  }

  /** Notes that somebody answers there. */
  noteSuccess(): void {
    this.#failed = null;
    this.#isTold = false;
  }

  #hasFailed({ socketPath, pid }: Place): boolean {
    return this.#failed?.socketPath === socketPath && this.#failed.pid === pid;
  }

  /**
   * Whether it is worth to connect to the place that the holder of the lock has announced.
   * @throws ClientFailure if the holder lives, and cannot be reached there
   */
  async #mayListen(place: Place, holder: LockHolder): Promise<boolean> {
    const isOwn = await isOwnSocket(place.socketPath).catch(() => false);
    if (!isOwn) this.noteFailure(place);
    if (this.#failed === null || !this.#hasFailed(place)) return true;
    // The file may be what a dead process has left. Whether it is, a service that is started now finds out by the lock.
    const { since } = this.#failed;
    const isHeld = this.#start !== null && this.#start.begunAt >= since && this.#start.ended?.code === ALREADY_HELD;
    if (!isHeld) return false;
    if (Date.now() - since >= UNREACHABLE_MS) throw this.#unreachable(holder);
    return isOwn;
  }

  /**
   * @param heldSince since when a living process was seen that has the lock, or null
   * @throws ClientFailure if the service that was started last could not start
   */
  #startUnlessRunning(heldSince: number | null): void {
    const last = this.#start;
    if (last !== null) {
      if (last.ended === null) return;
      const { code, reason } = last.ended;
      if (code !== 0 && code !== ALREADY_HELD && (code !== null || reason !== '')) {
        this.#start = null; // the next call tries again
        throw this.#cannotStart(last.ended);
      }
      if (Date.now() - last.begunAt < START_AGAIN_MS) return;
    }
    if (heldSince !== null && Date.now() - Math.max(heldSince, last?.begunAt ?? 0) < START_BESIDE_LIVING_MS) return;
    const start: Start = { begunAt: Date.now(), ended: null };
    this.#start = start;
    startBackground(this.dataDir).then((ended) => {
      start.ended = ended;
    });
  }

  #describeWait(holder: LockHolder | null): string {
    return holder?.mode === 'command' && isAlive(holder)
      ? `Waiting for a command that works on ${this.dataDir} (pid ${holder.pid})…`
      : 'Starting the service…';
  }

  #cannotStart({ code, reason }: Ended): ClientFailure {
    const log = `Its log is ${this.dataDir}/service.log.`;
    if (reason === '') return new ClientFailure('unreachable', `The service could not be started (code ${code}).`, log);
    return new ClientFailure('unreachable', reason.replace(/\bDATA_DIR\b/g, 'PORT_ALLOCATOR_DATA_DIR'), '');
  }

  #unreachable({ pid, url, path }: LockHolder): ClientFailure {
    return new ClientFailure(
      'unreachable',
      `${this.dataDir} is in use by a service that cannot be reached from here (pid ${pid}, at ${path}): it runs in a ` +
        'container, for example, or on another machine that shares the folder.',
      url === null
        ? 'Stop it there, or set PORT_ALLOCATOR_URL to where it can be reached, or PORT_ALLOCATOR_DATA_DIR to another folder.'
        : `There it is ${url}. Set PORT_ALLOCATOR_URL to where it can be reached from here, or stop it there.`,
    );
  }

  #tooLong(holder: LockHolder | null): ClientFailure {
    const who = holder ? ` Process ${holder.pid} has had ${this.dataDir} for all that time.` : '';
    return new ClientFailure(
      'unreachable',
      `The service was not there within ${PATIENCE_MS / 1000} s.${who}`,
      `Look into ${this.dataDir}/service.log.`,
    );
  }
}
