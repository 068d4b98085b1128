/** How long no further change may come before the work is done. */
const QUIET_MS = 200;
/** Where changes do not stop, the work is done this often. */
const LONGEST_WAIT_MS = 2000;
/** After work that has failed it is done again, at first after this, and then after twice the last pause. */
const FIRST_PAUSE_MS = 2000;
const LONGEST_PAUSE_MS = 5 * 60_000;

/**
 * Work that is done after a burst of changes, and again after a pause while it fails. It is never done twice at the same
 * time: a change that comes while it is done makes it be done once more afterwards.
 */
export class Debounced {
  #timer: NodeJS.Timeout | undefined;
  /** When the first change came that the work was not done for yet. */
  #since: number | null = null;
  #running: Promise<void> | null = null;
  /** How long it pauses if it fails the next time. */
  #pauseMs = FIRST_PAUSE_MS;

  /** @param work answers whether it is done, and throws nothing */
  constructor(private readonly work: () => Promise<boolean>) {}

  changed(): void {
    this.#since ??= performance.now();
    clearTimeout(this.#timer);
    const waitMs = Math.min(QUIET_MS, this.#since + LONGEST_WAIT_MS - performance.now());
    this.#timer = setTimeout(() => this.start(), waitMs);
  }

  /** Does the work at once, or after the one that is being done. */
  start(): void {
    this.#since ??= performance.now();
    if (this.#running) return;
    clearTimeout(this.#timer);
    this.#since = null;
    this.#running = this.work().then((isDone) => {
      this.#running = null;
      if (this.#since !== null) this.changed();
      else if (!isDone) this.#timer = setTimeout(() => this.start(), this.#pauseMs);
      this.#pauseMs = isDone ? FIRST_PAUSE_MS : Math.min(2 * this.#pauseMs, LONGEST_PAUSE_MS);
    });
  }

  /** Does nothing more, and waits for the end of what is being done. */
  async end(): Promise<void> {
    const running = this.#running;
    this.#since = null;
    clearTimeout(this.#timer);
    await running;
    clearTimeout(this.#timer);
  }
}
