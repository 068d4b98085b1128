import { randomUUID } from 'node:crypto';
import { type Message, type Result, request } from './messages.js';
import type { Output } from './output.js';

/** A client that answers late has so many questions open at most; then the oldest one counts as refused. */
const MAX_WAITING = 8;

/** The requests that the bridge itself sends to its client. */
export class Questions {
  /** What waits for answers, by the id of the request. */
  readonly #waiting = new Map<Message['id'], (result: Result | null) => void>();
  #hasEnded = false;

  constructor(private readonly output: Output) {}

  /** Asks the client something; null if it refuses, or cannot answer any more. */
  async ask(method: string): Promise<Result | null> {
    if (this.#hasEnded) return null;
    const [oldest] = this.#waiting.keys();
    if (this.#waiting.size >= MAX_WAITING) this.take({ id: oldest as string });
    const id = `port-allocator-${randomUUID()}`;
    const answered = new Promise<Result | null>((resolve) => this.#waiting.set(id, resolve));
    await this.output.write(request(id, method));
    return await answered;
  }

  /** Takes an answer of the client. One to which there is no question is ignored. */
  take({ id, result }: Message): void {
    this.#waiting.get(id)?.(result ?? null);
    this.#waiting.delete(id);
  }

  /** The client sends nothing any more: those who wait get null. */
  end(): void {
    this.#hasEnded = true;
    for (const answer of this.#waiting.values()) answer(null);
    this.#waiting.clear();
  }
}
