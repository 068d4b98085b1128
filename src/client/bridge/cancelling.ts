import type { Message } from './messages.js';

/** Cancels requests by their id. A client should not use an id twice, and may: then all requests with it are cancelled. */
export class Cancelling {
  /** By the JSON of the id, since 1 and "1" are two ids. */
  readonly #underWay = new Map<string, Set<AbortController>>();

  /** @returns what to call when the request has been answered */
  remember(id: Message['id'], controller: AbortController): () => void {
    const key = JSON.stringify(id ?? null);
    const others = this.#underWay.get(key) ?? new Set();
    this.#underWay.set(key, others.add(controller));
    return () => {
      others.delete(controller);
      if (others.size === 0) this.#underWay.delete(key);
    };
  }

  cancel(id: unknown): void {
    if (typeof id !== 'string' && typeof id !== 'number') return;
    for (const controller of this.#underWay.get(JSON.stringify(id)) ?? []) controller.abort();
  }
}
