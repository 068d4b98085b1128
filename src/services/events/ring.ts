import type { FeedEvent } from '../../repositories/events/events.js';

const MAX_EVENTS = 1000;
const MAX_BYTES = 4 * 1024 * 1024;

/**
 * The latest events that this process has read, one position after another without a gap, so that all who follow the feed
 * share one query. For example, after 501 to 520 were read, `start` is 500 and `end` is 520. When there are too many, or
 * they have too many bytes, the oldest are forgotten.
 */
export class EventRing {
  #events: FeedEvent[] = [];
  #bytes = 0;
  /** Everything from here on, up to `end`, is in the ring. */
  start = 0;
  end = 0;

  constructor(
    private readonly maxEvents = MAX_EVENTS,
    private readonly maxBytes = MAX_BYTES,
  ) {}

  /** Forgets everything, and goes on behind this position. */
  restart(position: number): void {
    this.#events = [];
    this.#bytes = 0;
    this.start = position;
    this.end = position;
  }

  /** Adds what was read behind `after`. It is left out if the ring has gone on without it meanwhile. */
  append(after: number, read: readonly FeedEvent[]): void {
    if (after !== this.end) return;
    for (const one of read) {
      if (one.position !== this.end + 1) this.restart(one.position - 1); // retention has deleted what was between
      this.#events.push(one);
      this.#bytes += one.bytes;
      this.end = one.position;
    }
    let surplus = 0;
    while (this.#events.length - surplus > this.maxEvents || this.#bytes > this.maxBytes) {
      const oldest = this.#events[surplus];
      if (!oldest) break;
      this.#bytes -= oldest.bytes;
      this.start = oldest.position;
      surplus += 1;
    }
    if (surplus > 0) this.#events.splice(0, surplus);
  }

  /** The events behind a position; null if the ring does not have all of them. */
  after(position: number, limit: number): FeedEvent[] | null {
    if (position < this.start || position > this.end) return null;
    const first = position - this.start;
    return this.#events.slice(first, first + limit);
  }
}
