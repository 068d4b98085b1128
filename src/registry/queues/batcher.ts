/** Too many requests wait in this queue already. Nothing was executed. */
export class QueueFullError extends Error {
  override readonly name = 'QueueFullError';
}

/** The request was abandoned before its batch started. Nothing was executed. */
export class AbandonedError extends Error {
  override readonly name = 'AbandonedError';
}

/** Whether the caller no longer waits: it has left, or was answered by a timeout. Asked once, when the batch starts. */
export type IsAbandoned = () => boolean;

export interface BatcherOptions<Request, Result> {
  /**
   * Executes requests of one queue together, in the order of their arrival.
   * @returns one result per request, in the same order
   */
  execute(queue: string, requests: Request[]): Promise<Result[]>;
  /** The most requests in one batch; 1 switches batching off. */
  maxBatch: number;
  /** The most requests that may wait in one queue. */
  maxQueue: number;
  /** How many batches of one queue may be under way at the same time. */
  concurrency?: number;
  /** Called for every batch that begins, with its size and the time that its oldest request has waited. */
  onBatch?(size: number, waitedSeconds: number): void;
}

interface Waiting<Request, Result> {
  request: Request;
  isAbandoned: IsAbandoned | undefined;
  /** By `performance.now()`. */
  since: number;
  resolve(result: Result): void;
  reject(error: unknown): void;
}

interface Queue<Request, Result> {
  waiting: Waiting<Request, Result>[];
  running: number;
}

/**
 * Executes requests in batches: those of one queue that arrive while a batch is under way are executed together by the
 * next batch. For commands this is group commit, for look-ups a shared query. Nobody joins a batch that has started.
 * Queues never wait for each other.
 */
export class Batcher<Request, Result> {
  readonly #options: Required<BatcherOptions<Request, Result>>;
  readonly #queues = new Map<string, Queue<Request, Result>>();

  constructor(options: BatcherOptions<Request, Result>) {
    this.#options = { concurrency: 1, onBatch() {}, ...options };
  }

  /**
   * @param isAbandoned a request that is abandoned when its batch starts is not executed
   * @throws QueueFullError, AbandonedError, or what `execute` throws
   */
  submit(name: string, request: Request, isAbandoned?: IsAbandoned): Promise<Result> {
    const queue = this.#queues.get(name) ?? { waiting: [], running: 0 };
    this.#queues.set(name, queue);
    if (queue.waiting.length >= this.#options.maxQueue) return Promise.reject(new QueueFullError());
    return new Promise((resolve, reject) => {
      queue.waiting.push({ request, isAbandoned, since: performance.now(), resolve, reject });
      if (queue.running < this.#options.concurrency) void this.#run(name, queue);
    });
  }

  async #run(name: string, queue: Queue<Request, Result>): Promise<void> {
    queue.running += 1;
    // One turn of the event loop, so that requests which have already arrived on other connections join the batch.
    await new Promise(setImmediate);
    while (queue.waiting.length > 0) {
      const batch = queue.waiting.splice(0, this.#options.maxBatch).filter((waiting) => {
        const abandoned = waiting.isAbandoned?.() ?? false;
        if (abandoned) waiting.reject(new AbandonedError());
        return !abandoned;
      });
      if (batch.length > 0) await this.#execute(name, batch);
    }
    queue.running -= 1;
    if (queue.running === 0 && queue.waiting.length === 0) this.#queues.delete(name);
  }

  async #execute(name: string, batch: Waiting<Request, Result>[]): Promise<void> {
    const waited = performance.now() - (batch[0]?.since ?? 0);
    this.#options.onBatch(batch.length, waited / 1000);
    try {
      const results = await this.#options.execute(
        name,
        batch.map(({ request }) => request),
      );
      for (const [i, { resolve }] of batch.entries()) resolve(results[i] as Result);
    } catch (error) {
      for (const { reject } of batch) reject(error);
    }
  }
}
