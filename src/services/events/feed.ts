import type { Kysely } from 'kysely';
import type { Log } from '../../database/connect.js';
import type { Tables } from '../../database/tables.js';
import { AppError } from '../../errors.js';
import { type Observer, unobserved } from '../../observer.js';
import {
  type FeedEvent,
  findEventsAfter,
  findFeedBounds,
  findWaiting,
  moveNewEvents,
} from '../../repositories/events/events.js';
import { EventRing } from './ring.js';

/** How often changes are looked for that were not made by this process. */
export const POLL_MS = 1000;
/** The same for the embedded database, which only this process changes: it hardly ever finds anything. */
export const SELDOM_POLL_MS = 10_000;
/** Changes that follow one another closely are put in order together. */
const GATHER_MS = 20;
/** How many events one query reads that fills the ring. */
const RING_PAGE = 500;

export interface FeedOptions {
  /** The `source` of its events. */
  source: string;
  log: Log;
  observer?: Observer;
  pollMs?: number;
}

/**
 * The change feed as this process reads it. Committed events are given their positions here, by one process at a time
 * (../../repositories/events/events.ts), and then read by position.
 */
export class EventFeed {
  readonly source: string;
  readonly #db: Kysely<Tables>;
  readonly #log: Log;
  readonly #observer: Observer;
  readonly #pollMs: number;
  readonly #ring = new EventRing();
  #last = 0;
  #isFailing = false;
  #kicked = withResolvers<void>();
  /** Wakes up those who wait for the next event. */
  readonly #waiting = new Set<() => void>();
  #pass: Promise<number> | null = null;
  #nextPass: Promise<number> | null = null;
  #filling: Promise<void> | null = null;

  constructor(db: Kysely<Tables>, { source, log, observer = unobserved, pollMs = POLL_MS }: FeedOptions) {
    this.#db = db;
    this.source = source;
    this.#log = log;
    this.#observer = observer;
    this.#pollMs = pollMs;
  }

  /** The last position that this process knows of. */
  get last(): number {
    return this.#last;
  }

  /** Tells that something was changed, so that its events come without waiting for the next poll. */
  changed(): void {
    this.#kicked.resolve();
  }

  /** Puts new events in order, and wakes up those who wait for them, until `signal` is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.moveNew().then(
        () => this.#noteOutcome(null),
        (error) => signal.aborted || this.#noteOutcome(error),
      );
      await waitFor(this.#kicked.promise, this.#pollMs, signal);
      await waitFor(null, GATHER_MS, signal);
      this.#kicked = withResolvers<void>();
    }
  }

  /**
   * Gives every event that is committed by now its position. Who calls while a pass is under way shares the next one,
   * because the one under way may have begun before the caller's change was committed. Where that one has waited in vain
   * for the feed, there is no next one: who calls would wait for the same once more, and longer than a request may take.
   * @returns the last position
   * @throws AppError overloaded if another transaction holds the feed for longer than LOCK_TIMEOUT_MS
   */
  moveNew(): Promise<number> {
    if (this.#nextPass) return this.#nextPass;
    if (this.#pass === null) {
      this.#pass = this.#moveAll();
      const done = () => {
        this.#pass = null;
      };
      this.#pass.then(done, done);
      return this.#pass;
    }
    const begin = (error?: unknown) => {
      this.#nextPass = null;
      if (error instanceof AppError) throw error;
      return this.moveNew();
    };
    this.#nextPass = this.#pass.then(() => begin(), begin);
    return this.#nextPass;
  }

  /** The events behind a position, in their order; empty if there is none yet. */
  async readAfter(position: number, limit: number): Promise<FeedEvent[]> {
    const fromDatabase = () => findEventsAfter(this.#db, position, limit, this.source);
    for (;;) {
      const held = this.#ring.after(position, limit);
      if (held !== null && held.length > 0) return held;
      if (held === null && (position < this.#ring.start || position > this.#last)) return fromDatabase();
      if (position > this.#ring.end) this.#ring.restart(position);
      // A query that somebody else has begun may not see an event that this caller knows of. It may be asked again.
      const isOwn = this.#filling === null;
      await this.#fillRing();
      if (isOwn) return this.#ring.after(position, limit) ?? fromDatabase();
    }
  }

  /** Whether `readAfter` of this position is likely to need no query of its own. */
  isRecent(position: number): boolean {
    return position >= this.#ring.start;
  }

  /** Waits until there is an event behind a position, or `signal` is aborted. */
  async waitBeyond(position: number, signal: AbortSignal): Promise<void> {
    while (this.#last <= position && !signal.aborted) await this.#growth(signal);
  }

  /** Every event behind a position, page after page, for ever, until `signal` is aborted. */
  async *follow(after: number, signal: AbortSignal, limit = 500): AsyncGenerator<FeedEvent[]> {
    for (let position = after; !signal.aborted; ) {
      const known = this.#last;
      const events = await this.readAfter(position, limit);
      position = events.at(-1)?.position ?? position;
      if (events.length > 0) yield events;
      else await this.waitBeyond(Math.max(position, known), signal);
    }
  }

  /** The highest position that was given, and the highest that was deleted because of its age. */
  bounds(): Promise<{ last: number; deleted: number }> {
    return findFeedBounds(this.#db);
  }

  async #moveAll(): Promise<number> {
    const { last, waitingSeconds } = await findWaiting(this.#db);
    this.#observer.eventsWaiting(waitingSeconds ?? 0);
    this.#noteLast(last);
    if (waitingSeconds === null) return last;
    for (;;) {
      const moved = await moveNewEvents(this.#db);
      this.#noteLast(moved.last);
      if (moved.isMore) continue;
      this.#observer.eventsWaiting(0);
      return moved.last;
    }
  }

  #noteLast(last: number): void {
    if (last <= this.#last) return;
    this.#last = last;
    for (const wake of [...this.#waiting]) wake();
  }

  /**
   * Waits until there is a further event, or `signal` is aborted. Of a reader that leaves, nothing is kept: a promise that
   * all share would keep the reactions of those who have left until the next event.
   */
  #growth(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        this.#waiting.delete(wake);
        signal.removeEventListener('abort', wake);
        resolve();
      };
      this.#waiting.add(wake);
      signal.addEventListener('abort', wake);
    });
  }

  /** Logs when it begins to fail, and when it works again, and not each second of an outage. */
  #noteOutcome(error: unknown): void {
    if (error !== null && !this.#isFailing) {
      this.#log.warn({ err: error }, 'New events cannot be put in order; this is tried again until it works');
    }
    if (error === null && this.#isFailing) this.#log.info({}, 'New events are put in order again');
    this.#isFailing = error !== null;
  }

  /** Reads what comes behind the ring, in one query for all who ask at the same time. */
  #fillRing(): Promise<void> {
    this.#filling ??= this.#readIntoRing().finally(() => {
      this.#filling = null;
    });
    return this.#filling;
  }

  async #readIntoRing(): Promise<void> {
    const { end } = this.#ring;
    this.#ring.append(end, await findEventsAfter(this.#db, end, RING_PAGE, this.source));
  }
}

/** Waits for a promise that is never rejected, but at most `ms`, and not longer than until `signal` is aborted. */
async function waitFor(event: Promise<void> | null, ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  const { promise, resolve } = withResolvers<void>();
  const timer = setTimeout(resolve, ms);
  const onAbort = () => resolve();
  signal.addEventListener('abort', onAbort, { once: true });
  await (event ? Promise.race([event, promise]) : promise);
  clearTimeout(timer);
  signal.removeEventListener('abort', onAbort);
}

/** `Promise.withResolvers`, which Node has since version 22. */
function withResolvers<T>(): { promise: Promise<T>; resolve: (value: T) => void } {
  let resolve: (value: T) => void = () => {};
  const promise = new Promise<T>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}
