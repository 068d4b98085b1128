/** The lane's queue is full; nothing was executed. */
export class LaneFullError extends Error {
  override readonly name = 'LaneFullError';
}

/** The caller had given up before its batch started; nothing was executed. */
export class AbandonedError extends Error {
  override readonly name = 'AbandonedError';
}

/** Whether the caller no longer waits for an answer. Asked once, when the batch starts. */
export type IsAbandoned = () => boolean;

export interface BatcherOptions<Request, Result> {
  /**
   * Executes requests together, in the order of their arrival.
   * @returns one result per request, in the same order
   */
  execute(lane: string, requests: Request[]): Promise<Result[]>;
  /** Requests in one batch at the most; 1 switches batching off. */
  maxBatch: number;
  /** Requests waiting in one lane at the most. */
  maxQueue: number;
  /** Batches of one lane under way at a time. */
  concurrency?: number;
  /** Told of every batch that begins: its size, and how long its oldest request has waited. */
  onBatch?(size: number, waitedSeconds: number): void;
}

interface Waiting<Request, Result> {
  request: Request;
  isAbandoned: IsAbandoned | undefined;
  since: number;
  resolve(result: Result): void;
  reject(error: unknown): void;
}

/**
 * Group commit, for anything: requests of one lane that arrive while a batch is under way are executed
 * together by the next one. Nobody joins a batch that has started. Lanes never wait for each other.
 */
export class Batcher<Request, Result> {
  readonly #options: Required<BatcherOptions<Request, Result>>;
  readonly #lanes = new Map<string, { queue: Waiting<Request, Result>[]; running: number }>();

  constructor(options: BatcherOptions<Request, Result>) {
    this.#options = { concurrency: 1, onBatch() {}, ...options };
  }

  /**
   * @param isAbandoned a request whose caller has given up before its batch starts is not executed
   * @throws LaneFullError, AbandonedError, or what `execute` throws
   */
  submit(lane: string, request: Request, isAbandoned?: IsAbandoned): Promise<Result> {
    const state = this.#lanes.get(lane) ?? { queue: [], running: 0 };
    this.#lanes.set(lane, state);
    if (state.queue.length >= this.#options.maxQueue) return Promise.reject(new LaneFullError());
    return new Promise((resolve, reject) => {
      state.queue.push({ request, isAbandoned, since: performance.now(), resolve, reject });
      if (state.running < this.#options.concurrency) void this.#run(lane, state);
    });
  }

  async #run(lane: string, state: { queue: Waiting<Request, Result>[]; running: number }): Promise<void> {
    state.running += 1;
    // One turn of the event loop, so that what has already arrived on other connections rides along.
    await new Promise(setImmediate);
    while (state.queue.length > 0) {
      const batch = state.queue.splice(0, this.#options.maxBatch).filter((waiting) => {
        const abandoned = waiting.isAbandoned?.() ?? false;
        if (abandoned) waiting.reject(new AbandonedError());
        return !abandoned;
      });
      if (batch.length > 0) await this.#execute(lane, batch);
    }
    state.running -= 1;
    if (state.running === 0 && state.queue.length === 0) this.#lanes.delete(lane);
  }

  async #execute(lane: string, batch: Waiting<Request, Result>[]): Promise<void> {
    const waited = performance.now() - (batch[0]?.since ?? 0);
    this.#options.onBatch(batch.length, waited / 1000);
    try {
      const results = await this.#options.execute(
        lane,
        batch.map(({ request }) => request),
      );
      for (const [i, { resolve }] of batch.entries()) resolve(results[i] as Result);
    } catch (error) {
      for (const { reject } of batch) reject(error);
    }
  }
}
