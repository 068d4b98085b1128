/** How old the list may be before it is read again, in the background. */
const FRESH_MS = 1000;
/** How old the list may be for somebody who does not wait for a new one. */
const USABLE_MS = 2000;

/** By port, what tells its sockets from others: the same text as long as the same sockets listen. */
export type SocketsByPort = ReadonlyMap<number, string>;

/**
 * The ports on which somebody listens, read at most once a second, and only while somebody asks. To read them takes the
 * kernel some milliseconds, and look-ups ask tens of thousands of times a second. Under load nobody waits: a list that
 * is older than a second is read again while it still is used.
 */
export class ListeningPorts {
  #ports: SocketsByPort | null = null;
  /** By `performance.now()`. */
  #readAt = Number.NEGATIVE_INFINITY;
  #reading: Promise<SocketsByPort | null> | null = null;

  /** @param read answers null if there is no such list */
  constructor(private readonly read: () => Promise<SocketsByPort | null>) {}

  /** The list, or where it is too old the promise of a new one. Null if there is none. */
  get(): SocketsByPort | null | Promise<SocketsByPort | null> {
    const age = performance.now() - this.#readAt;
    if (age < FRESH_MS) return this.#ports;
    this.#reading ??= this.#readAgain();
    return age < USABLE_MS ? this.#ports : this.#reading;
  }

  async #readAgain(): Promise<SocketsByPort | null> {
    this.#ports = await this.read().catch(() => null);
    this.#readAt = performance.now();
    this.#reading = null;
    return this.#ports;
  }
}
