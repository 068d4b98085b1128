const STOPPING = 'shutting down';

/**
 * Whether this process is ready for requests: it has started, its migrations are applied, and it is not shutting down.
 */
export class Readiness {
  #reason: string | null = 'starting';

  /** Why the process is not ready, for people; null if it is ready. */
  reason(): string | null {
    return this.#reason;
  }

  /** A process that is told to stop while it starts is never ready. */
  started(): void {
    if (!this.isStopping()) this.#reason = null;
  }

  stopping(): void {
    this.#reason = STOPPING;
  }

  isStopping(): boolean {
    return this.#reason === STOPPING;
  }
}
