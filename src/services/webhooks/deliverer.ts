import { setTimeout as sleep } from 'node:timers/promises';
import type { Kysely } from 'kysely';
import type { Log } from '../../database/connect.js';
import type { Tables } from '../../database/tables.js';
import type { Observer } from '../../observer.js';
import { endTooOld } from '../../repositories/events/ending.js';
import {
  type AttemptResult,
  type DeliveryQueue,
  findEnqueueLag,
  findPendingDeliveries,
  findQueues,
  getsEventsOf,
  type PendingDelivery,
} from '../../repositories/events/sending.js';
import type { Outcome, Sender } from './attempt.js';
import { type Backoff, waitAfter } from './backoff.js';
import { Results } from './results.js';

/** How often it looks for deliveries that have become due, and for webhooks that were changed. */
const POLL_MS = 1000;
/** What happens meanwhile is looked for together. */
const GATHER_MS = 10;
/** How many projects one webhook gets events of at a time. */
const QUEUES_PER_WEBHOOK = 4;
/** How many deliveries of a queue are read at a time. */
const PAGE = 50;

export interface DelivererParts {
  db: Kysely<Tables>;
  log: Log;
  observer: Observer;
  sender: Sender;
  backoff: Backoff;
  /** Of the events: PUBLIC_URL, or the URN where none is set. */
  source: string;
}

/**
 * Sends what is pending. The deliveries of one webhook and one project are a queue: they are sent one after another, and
 * when one fails, those behind it wait until it is delivered or given up. The queues do not wait for one another, and each
 * webhook has QUEUES_PER_WEBHOOK of its own, so that a receiver that does not answer delays no other.
 */
export class Deliverer {
  readonly #parts: DelivererParts;
  readonly #signal: AbortSignal;
  readonly #results: Results;
  /** The queues that are being sent, as `webhookId project`. */
  readonly #running = new Map<string, Promise<void>>();
  /** The webhooks that are switched on and have something pending, as they were looked up last. */
  #webhooks = new Map<string, Omit<DeliveryQueue, 'project'>>();
  #wake = () => {};

  constructor(parts: DelivererParts, signal: AbortSignal) {
    this.#parts = parts;
    this.#signal = signal;
    this.#results = new Results(parts.db, parts.log, signal);
  }

  /** Tells that there is something to send. */
  wake(): void {
    this.#wake();
  }

  /** Sends until `signal` is aborted. */
  async run(): Promise<void> {
    const { db, log, observer } = this.#parts;
    while (!this.#signal.aborted) {
      const woken = new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      try {
        const lagSeconds = await findEnqueueLag(db);
        const queues = await findQueues(db);
        observer.webhooksPending(Math.max(lagSeconds, ...queues.map(({ pendingSeconds }) => pendingSeconds)));
        this.#start(queues);
      } catch (error) {
        if (!this.#signal.aborted) log.warn({ err: error }, 'The pending webhook deliveries could not be read');
      }
      const timer = new AbortController();
      const anyAborted = AbortSignal.any([this.#signal, timer.signal]);
      await Promise.race([woken, sleep(POLL_MS, undefined, { signal: anyAborted }).catch(() => {})]);
      timer.abort();
      await sleep(GATHER_MS, undefined, { signal: this.#signal }).catch(() => {});
    }
    await Promise.all(this.#running.values());
    observer.webhooksPending(0);
  }

  /** Begins with the queues that are due, as far as their webhooks have room. */
  #start(queues: readonly DeliveryQueue[]): void {
    this.#webhooks = new Map(queues.map((queue) => [queue.webhookId, queue]));
    const counts = new Map<string, number>();
    const count = (id: string) => counts.set(id, (counts.get(id) ?? 0) + 1);
    for (const key of this.#running.keys()) count(key.slice(0, key.indexOf(' ')));
    for (const queue of queues) {
      const key = `${queue.webhookId} ${queue.project}`;
      if (!queue.isDue || this.#running.has(key) || (counts.get(queue.webhookId) ?? 0) >= QUEUES_PER_WEBHOOK) continue;
      count(queue.webhookId);
      const sent = this.#sendPage(queue)
        .then(
          () => this.#wake(),
          (error: unknown) => {
            if (!this.#signal.aborted)
              this.#parts.log.warn({ err: error }, 'Webhook deliveries could not be read or ended');
          },
        )
        .finally(() => this.#running.delete(key));
      this.#running.set(key, sent);
    }
  }

  /**
   * Sends the next deliveries of a queue until one fails. Where the first one has failed before, sends only that one. All
   * results are written when it returns: what is still pending is read again then. Where one is given up, those behind it
   * that are as old are given up with it; if that fails, it is done when the next one is given up.
   */
  async #sendPage(queue: DeliveryQueue): Promise<void> {
    const { db, source, backoff } = this.#parts;
    const pending = await findPendingDeliveries(db, queue, queue.attempts === 0 ? PAGE : 1, source);
    const readAt = performance.now();
    let written: Promise<void> | undefined;
    let isGivenUp = false;
    for (const delivery of pending) {
      const webhook = this.#webhooks.get(queue.webhookId);
      if (webhook?.generation !== queue.generation) break; // switched off or deleted meanwhile
      if (!getsEventsOf(queue.project, webhook)) break;
      const age = delivery.pendingSeconds + (performance.now() - readAt) / 1000;
      const result = await this.#sendOne(delivery, webhook, age);
      written = this.#results.add(result);
      if (result.status === 'delivered') continue;
      isGivenUp = result.status === 'failed';
      break;
    }
    await written;
    while (isGivenUp && !this.#signal.aborted) isGivenUp = await endTooOld(db, queue, backoff.giveUpMs / 1000);
  }

  /** @throws the reason of the signal when it is aborted */
  async #sendOne(
    { id, event, attempts }: PendingDelivery,
    { webhookId, url, secret }: Pick<DeliveryQueue, 'webhookId' | 'url' | 'secret'>,
    ageSeconds: number,
  ): Promise<AttemptResult> {
    const { sender, backoff, observer } = this.#parts;
    if (event === null) {
      const error = 'It was not sent, because its event is no longer kept.';
      return { ...{ id, webhookId, error }, status: 'failed', responseStatus: null, waitMs: 0 };
    }
    const outcome = await sender.send({ id, event, url, secret }, this.#signal);
    observer.webhookAttempted(outcome.kind === 'gone' ? 'disabled' : outcome.kind);
    return { id, webhookId, ...toResult(outcome, { failures: attempts + 1, ageSeconds, url }, backoff) };
  }
}

function toResult(
  outcome: Outcome,
  { failures, ageSeconds, url }: { failures: number; ageSeconds: number; url: string },
  backoff: Backoff,
): Omit<AttemptResult, 'id' | 'webhookId'> {
  const responseStatus = outcome.status;
  if (outcome.kind === 'delivered') return { status: 'delivered', responseStatus, error: null, waitMs: 0 };
  const { error } = outcome;
  if (outcome.kind === 'gone') {
    const disable = { url, reason: 'The receiver answered 410: it wants no more events.' };
    return { status: 'failed', responseStatus, error, waitMs: 0, disable };
  }
  const waitMs = waitAfter(failures, outcome.retryAfterMs, backoff);
  const isGivenUp = ageSeconds * 1000 >= backoff.giveUpMs;
  return { status: isGivenUp ? 'failed' : 'pending', responseStatus, error, waitMs };
}
