import { setTimeout as sleep } from 'node:timers/promises';
import pLimit from 'p-limit';
import type { ProbeResult } from './probe.js';

/** How long a probe waits before it is tried again, after the process had run out. */
const RETRY_MS = 50;
/** A port that fails less often is tried again even after its time is over, while others succeed. */
const MIN_TRIES = 5;
const GROWTH = 1.25;

/**
 * Gives each probe its turn, as many at a time as the process can make.
 *
 * When the process runs out of something (`not-judged`), half as many probes are made at a time from then on, and the
 * port is tried again. When as many probes as are made at a time have succeeded in a row, it is a quarter more, up to
 * the most that were asked for. All probes that began before the number was halved may fail for the same reason, and
 * only the first of them halves it. For example, 256 probes begin while 100 descriptors are left, and 156 of them fail:
 * 128 are made at a time then, and if some fail again, 64.
 *
 * A port is given up when it has been tried some times, for as long as a probe may take; and at once when nothing at all
 * has succeeded for so long. So an audit that can probe nothing ends soon, however many ports it has.
 */
export class Turns {
  readonly #limit: ReturnType<typeof pLimit>;
  /** How often the number was halved. */
  #halvings = 0;
  /** How many probes have succeeded in a row since the number was changed. */
  #succeeded = 0;
  /** When the first probe failed of those since the last that succeeded. */
  #failingSince: number | null = null;

  /**
   * @param most how many probes are made at a time
   * @param patienceMs for how long a port is tried again
   */
  constructor(
    private readonly most: number,
    private readonly patienceMs: number,
  ) {
    this.#limit = pLimit(most);
  }

  /** How many probes are made at a time now. */
  get atATime(): number {
    return this.#limit.concurrency;
  }

  /** @throws what `probe` throws; an AbortError when `signal` is aborted while the probe waits to be tried again */
  async take(probe: () => Promise<ProbeResult>, signal: AbortSignal): Promise<ProbeResult> {
    let failedAt: number | null = null;
    for (let tries = 1; ; tries++) {
      const result = await this.#limit(() => this.#try(probe));
      if (result.outcome !== 'not-judged') return result;
      const now = performance.now();
      failedAt ??= now;
      const isOver = (since: number | null) => since !== null && now - since >= this.patienceMs;
      if (isOver(this.#failingSince) || (tries >= MIN_TRIES && isOver(failedAt))) return result;
      await sleep(RETRY_MS, undefined, { signal });
    }
  }

  async #try(probe: () => Promise<ProbeResult>): Promise<ProbeResult> {
    const halvings = this.#halvings;
    const result = await probe();
    if (result.outcome === 'not-judged') this.#failed(halvings);
    else this.#hasSucceeded();
    return result;
  }

  /** @param halvings how often the number had been halved when the probe began */
  #failed(halvings: number): void {
    this.#failingSince ??= performance.now();
    this.#succeeded = 0;
    if (halvings < this.#halvings) return;
    this.#halvings += 1;
    this.#limit.concurrency = Math.max(1, Math.floor(this.atATime / 2));
  }

  #hasSucceeded(): void {
    this.#failingSince = null;
    this.#succeeded += 1;
    if (this.atATime === this.most || this.#succeeded < this.atATime) return;
    this.#succeeded = 0;
    this.#limit.concurrency = Math.min(this.most, Math.ceil(this.atATime * GROWTH));
  }
}
