import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Kysely } from 'kysely';
import type { Log } from '../../database/connect.js';
import type { Tables } from '../../database/tables.js';
import type { Observer } from '../../observer.js';
import { endOfOtherProjects, endSwitchedOff } from '../../repositories/events/ending.js';
import { enqueueDeliveries, hasWork } from '../../repositories/events/sending.js';
import { holdLease, type Lease } from '../../repositories/leases.js';
import type { EventFeed } from '../events/feed.js';
import { runWithLease } from '../schedule.js';
import { Sender } from './attempt.js';
import { BACKOFF, type Backoff } from './backoff.js';
import { Deliverer } from './deliverer.js';
import type { Destinations } from './destination.js';

/** If the replica that sends dies, another one goes on after this time and STANDBY_MS. */
const LEASE_TTL_MS = 15_000;
/** How often the other replicas look whether nobody sends. */
const STANDBY_MS = 2000;
/** Events that follow one another closely are written for the webhooks together. */
const GATHER_MS = 50;
/** How long after an error of the database it goes on. */
const RETRY_MS = 1000;

export interface WebhookParts {
  db: Kysely<Tables>;
  feed: Pick<EventFeed, 'waitBeyond'>;
  destinations: Destinations;
  observer: Observer;
  log: Log;
  source: string;
}

/** For tests, which do not wait for hours. */
export interface WebhookOptions {
  backoff?: Backoff;
  leaseTtlMs?: number;
  standbyMs?: number;
  attemptTimeoutMs?: number;
}

/** Sends events to webhooks until `signal` is aborted, while no other replica does. */
export async function runWebhooks(
  parts: WebhookParts,
  signal: AbortSignal,
  { backoff = BACKOFF, leaseTtlMs = LEASE_TTL_MS, standbyMs = STANDBY_MS, attemptTimeoutMs }: WebhookOptions = {},
): Promise<void> {
  const { db, log } = parts;
  const lease: Lease = { name: 'webhooks', holder: randomUUID() };
  const sender = new Sender(parts.destinations, attemptTimeoutMs);
  while (!signal.aborted) {
    try {
      if ((await hasWork(db)) && (await holdLease(db, lease, leaseTtlMs))) {
        await runWithLease(db, lease, leaseTtlMs, signal, (held) => sendAll(parts, sender, backoff, standbyMs, held));
      }
    } catch (error) {
      if (!signal.aborted) log.warn({ err: error }, 'Webhooks could not be served');
    }
    await sleep(standbyMs, undefined, { signal }).catch(() => {});
  }
  sender.close();
}

/** Goes along the feed and sends, until `signal` is aborted or there is nothing more to do. */
async function sendAll(
  parts: WebhookParts,
  sender: Sender,
  backoff: Backoff,
  standbyMs: number,
  signal: AbortSignal,
): Promise<void> {
  const ending = new AbortController();
  const ended = AbortSignal.any([signal, ending.signal]);
  const deliverer = new Deliverer({ ...parts, sender, backoff }, ended);
  const sending = Promise.all([deliverer.run(), endAll(parts, ended)]);
  try {
    await Promise.race([enqueueAll(parts, deliverer, ended), endWhenUnused(parts, standbyMs, ended)]);
  } finally {
    ending.abort();
    await sending;
  }
}

/** Writes the deliveries of each event, as soon as it is in the feed. */
async function enqueueAll({ db, feed, log }: WebhookParts, deliverer: Deliverer, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    try {
      const { written, position, isMore } = await db.transaction().execute((trx) => enqueueDeliveries(trx));
      if (written > 0) deliverer.wake();
      if (isMore) continue;
      if (position === null) await sleep(RETRY_MS, undefined, { signal }).catch(() => {});
      else await feed.waitBeyond(position, signal);
      await sleep(GATHER_MS, undefined, { signal }).catch(() => {});
    } catch (error) {
      if (signal.aborted) return;
      log.warn({ err: error }, 'Deliveries to webhooks could not be written');
      await sleep(RETRY_MS, undefined, { signal }).catch(() => {});
    }
  }
}

/** Ends what is pending and is not sent any more, because of what was changed of its webhook. */
async function endAll({ db, log }: WebhookParts, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    try {
      while (!signal.aborted && (await endSwitchedOff(db)));
      while (!signal.aborted && (await endOfOtherProjects(db)));
    } catch (error) {
      if (!signal.aborted) log.warn({ err: error }, 'Webhook deliveries that are not sent any more could not be ended');
    }
    await sleep(RETRY_MS, undefined, { signal }).catch(() => {});
  }
}

/** Also switches off the webhooks whose key has expired. */
async function endWhenUnused({ db }: WebhookParts, standbyMs: number, signal: AbortSignal): Promise<void> {
  while (!signal.aborted && (await hasWork(db).catch(() => true))) {
    await sleep(standbyMs, undefined, { signal }).catch(() => {});
  }
}
