const STOPPING = 'shutting down';

/** Whether this process takes requests: started, its migrations applied, not shutting down. */
export class Readiness {
  #reason: string | null = 'starting';

  /** Why not, for people; null when it does. */
  reason(): string | null {
    return this.#reason;
  }

  started(): void {
    this.#reason = null;
  }

  stopping(): void {
    this.#reason = STOPPING;
  }

  isStopping(): boolean {
    return this.#reason === STOPPING;
  }
}
