import { setTimeout } from 'node:timers/promises';
import type { Kysely } from 'kysely';
import type { Log } from '../../database/connect.js';
import type { Tables } from '../../database/tables.js';
import { type FeedEvent, findEventsAfter, findFeedBounds, moveNewEvents } from '../../repositories/events/events.js';

/** How often changes are looked for that were not made by this process. */
const POLL_MS = 1000;
/** Changes that follow one another closely are put in order together. */
const GATHER_MS = 20;

/**
 * The change feed as this process reads it. Committed events are given their positions here, by one process at a time
 * (../../repositories/events/events.ts), and then read by position.
 */
export class EventFeed {
  readonly #db: Kysely<Tables>;
  readonly #source: string;
  readonly #log: Log;
  #last = 0;
  #kicked = withResolvers<void>();
  #grown = withResolvers<void>();

  constructor(db: Kysely<Tables>, { source, log }: { source: string; log: Log }) {
    this.#db = db;
    this.#source = source;
    this.#log = log;
  }

  /** The last position that this process knows of. */
  get last(): number {
    return this.#last;
  }

  /** Tells that this process has changed something, so that its events come without waiting for the next poll. */
  changed(): void {
    this.#kicked.resolve();
  }

  /** Puts new events in order, and wakes up those who wait for them, until `signal` is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await this.moveNew();
      } catch (error) {
        if (!signal.aborted) this.#log.warn({ err: error }, 'New events could not be put in order');
      }
      const timer = new AbortController();
      await Promise.race([
        this.#kicked.promise,
        setTimeout(POLL_MS, undefined, { signal: AbortSignal.any([signal, timer.signal]) }).catch(() => {}),
      ]);
      timer.abort();
      await setTimeout(GATHER_MS, undefined, { signal }).catch(() => {});
      this.#kicked = withResolvers<void>();
    }
  }

  /**
   * Gives every event that is committed by now its position.
   * @returns the last position
   */
  async moveNew(): Promise<number> {
    const { last, isMore } = await moveNewEvents(this.#db);
    if (last > this.#last) {
      this.#last = last;
      this.#grown.resolve();
      this.#grown = withResolvers<void>();
    }
    return isMore ? this.moveNew() : last;
  }

  /** The events behind a position, in their order; empty if there is none yet. */
  readAfter(position: number, limit: number): Promise<FeedEvent[]> {
    return findEventsAfter(this.#db, position, limit, this.#source);
  }

  /** Waits until there is an event behind a position, or `signal` is aborted. */
  async waitBeyond(position: number, signal: AbortSignal): Promise<void> {
    while (this.#last <= position && !signal.aborted) {
      const aborted = withResolvers<void>();
      const onAbort = () => aborted.resolve();
      signal.addEventListener('abort', onAbort, { once: true });
      await Promise.race([this.#grown.promise, aborted.promise]);
      signal.removeEventListener('abort', onAbort);
    }
  }

  /** Every event behind a position, page after page, for ever, until `signal` is aborted. */
  async *follow(after: number, signal: AbortSignal, limit = 500): AsyncGenerator<FeedEvent[]> {
    for (let position = after; !signal.aborted; ) {
      const events = await this.readAfter(position, limit);
      position = events.at(-1)?.position ?? position;
      if (events.length > 0) yield events;
      else await this.waitBeyond(position, signal);
    }
  }

  /** The highest position that was given, and the highest that was deleted because of its age. */
  bounds(): Promise<{ last: number; deleted: number }> {
    return findFeedBounds(this.#db);
  }
}

/** `Promise.withResolvers`, which Node has since version 22. */
function withResolvers<T>(): { promise: Promise<T>; resolve: (value: T) => void } {
  let resolve: (value: T) => void = () => {};
  const promise = new Promise<T>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}
