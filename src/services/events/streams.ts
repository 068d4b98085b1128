import type { Caller } from '../../access/caller.js';
import type { Observer } from '../../observer.js';
import { shuttingDown } from '../../refusals.js';
import * as refusals from '../../repositories/events/refusals.js';

export interface StreamLimits {
  /** Streams of this process. Each has a connection, of which there are 4096 at most. */
  total: number;
  perKey: number;
}

const LIMITS: StreamLimits = { total: 1000, perKey: 100 };

/** The open streams of events of this process: how many there are, and when all have to end. */
export class EventStreams {
  /** What ends each open stream. */
  readonly #ends = new Set<() => void>();
  #isStopping = false;
  readonly #byKey = new Map<string, number>();
  #open = 0;

  constructor(
    private readonly observer: Observer,
    private readonly limits: StreamLimits = LIMITS,
  ) {}

  /**
   * Counts a stream of this caller until the returned function is called.
   * @param end called when the process stops
   * @throws AppError too-many-requests, overloaded
   */
  open({ caller, end }: { caller: Caller; end: () => void }): () => void {
    const key = caller.kind === 'key' ? caller.id : null;
    const ofKey = key === null ? 0 : (this.#byKey.get(key) ?? 0);
    if (this.#isStopping) throw shuttingDown();
    if (ofKey >= this.limits.perKey) throw refusals.tooManyStreamsOfKey(ofKey);
    if (this.#open >= this.limits.total) throw refusals.tooManyStreams(this.#open);
    if (key !== null) this.#byKey.set(key, ofKey + 1);
    this.#count(1);
    this.#ends.add(end);
    return () => {
      if (!this.#ends.delete(end)) return;
      this.#count(-1);
      if (key === null) return;
      const left = (this.#byKey.get(key) ?? 0) - 1;
      if (left > 0) this.#byKey.set(key, left);
      else this.#byKey.delete(key);
    };
  }

  /** Ends all streams, for a process that stops. Their readers come back, and another replica answers. */
  stop(): void {
    this.#isStopping = true;
    for (const end of [...this.#ends]) end();
  }

  #count(change: number): void {
    this.#open += change;
    this.observer.eventStreams(this.#open);
  }
}
