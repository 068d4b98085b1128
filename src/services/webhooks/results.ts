import { setTimeout as sleep } from 'node:timers/promises';
import type { Kysely } from 'kysely';
import type { Log } from '../../database/connect.js';
import type { Tables } from '../../database/tables.js';
import { type AttemptResult, storeResults } from '../../repositories/events/sending.js';

/** How long a result waits for others before it is written. A process that is killed sends these again. */
const GATHER_MS = 50;
/** How long after an error of the database the results are written again. */
const RETRY_MS = 1000;

/** Writes what came of the attempts, many in one statement. */
export class Results {
  #waiting: AttemptResult[] = [];
  #write: Promise<void> | null = null;
  /** The write before. One at a time: whoever waits for his last result would else read earlier ones as still pending. */
  #before: Promise<void> = Promise.resolve();

  constructor(
    private readonly db: Kysely<Tables>,
    private readonly log: Log,
    private readonly signal: AbortSignal,
  ) {}

  /** @returns when it is written, or `signal` is aborted. Whoever is to send the next one need not wait for that. */
  add(result: AttemptResult): Promise<void> {
    this.#waiting.push(result);
    if (this.#write === null) {
      this.#write = this.#writeGathered(this.#before);
      this.#before = this.#write;
    }
    return this.#write;
  }

  async #writeGathered(before: Promise<void>): Promise<void> {
    await sleep(GATHER_MS, undefined, { signal: this.signal }).catch(() => {}); // when it stops, without waiting
    await before;
    const results = this.#waiting;
    this.#waiting = [];
    this.#write = null;
    for (;;) {
      try {
        return await storeResults(this.db, results);
      } catch (error) {
        if (this.signal.aborted) return; // whoever sends next sends these again
        this.log.warn({ err: error }, 'The results of webhook deliveries could not be written');
        await sleep(RETRY_MS, undefined, { signal: this.signal }).catch(() => {});
      }
    }
  }
}
