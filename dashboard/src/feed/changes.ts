import { batch, type Signal, signal } from '@preact/signals';
import type { FeedEvent, Held } from '../registry/api.js';
import { canCool, readSoon } from '../registry/readings.js';
import { held, type Reading, reservations, seenAt } from '../registry/store.js';

/** By the kind of an event, which lists it makes out of date. */
const STALE_AFTER: Record<string, Reading[]> = {
  allocation: ['ranges', 'cooling'],
  reservation: ['ranges'],
  range: ['ranges', 'cooling'],
  service: ['ranges', 'listening'],
  'excluded-port': ['excluded', 'ranges'],
  audit: ['audits', 'listening', 'lastUsed'],
};

/** Counts the events of a kind, such as `webhook`, so that whoever shows a list of such objects reads it again. */
const counters = new Map<string, Signal<number>>();

/** How many events of a kind have come: `api-key`, `environment`, `webhook`, or `event` for any. */
export function eventsOf(kind: string): Signal<number> {
  const known = counters.get(kind) ?? signal(0);
  counters.set(kind, known);
  return known;
}

/** `latestEvents` is cut to the smaller number when it has more than the larger one. */
const KEPT_LATEST = 200;
const MOST_LATEST = 400;

/** The events that have come last, newest first, for those who show the events themselves. */
export const latestEvents = signal<readonly FeedEvent[]>([]);
/**
 * Counts how often `latestEvents` has dropped some: whoever shows them before a list that was read reads that list
 * again.
 */
export const latestDropped = signal(0);

function addLatestEvents(events: FeedEvent[]): void {
  const all = [...events.toReversed(), ...latestEvents.value];
  const isOver = all.length > MOST_LATEST;
  latestEvents.value = isOver ? all.slice(0, KEPT_LATEST) : all;
  if (isOver) latestDropped.value++;
}

/** Has every list read again that is shown, after a time of which nobody knows what has changed. */
export function countUnknownEvents(): void {
  batch(() => {
    latestEvents.value = [];
    latestDropped.value++;
    for (const counter of counters.values()) counter.value++;
  });
}

/** Makes the changes that events tell of. They come in their order, and the last one of an object counts. */
export function applyEvents(events: FeedEvent[]): void {
  const changes = new Changes();
  for (const event of events) changes.add(event);
  batch(() => {
    changes.apply();
    addLatestEvents(events);
  });
}

class Changes {
  #held: Map<string, Held> | null = null;
  #reservations: Map<string, NonNullable<FeedEvent['data']['reservation']>> | null = null;
  readonly #kinds = new Map<string, number>();
  readonly #stale = new Set<Reading>();

  add({ type, data }: FeedEvent): void {
    const kind = type.slice(0, type.indexOf('.'));
    for (const counted of [kind, 'event']) this.#kinds.set(counted, (this.#kinds.get(counted) ?? 0) + 1);
    if (data.allocation) this.#addAllocation(data.allocation);
    if (data.reservation) this.#addReservation(data.reservation);
    for (const reading of STALE_AFTER[kind] ?? []) {
      if (reading !== 'cooling' || kind !== 'allocation' || canCool()) this.#stale.add(reading);
    }
  }

  #addAllocation(allocation: NonNullable<FeedEvent['data']['allocation']>): void {
    this.#held ??= new Map(held.value);
    const known = this.#held.get(allocation.id);
    if (allocation.status === 'released') this.#held.delete(allocation.id);
    else this.#held.set(allocation.id, seenAt(allocation, known?.lastUsedAt ?? null));
  }

  #addReservation(reservation: NonNullable<FeedEvent['data']['reservation']>): void {
    this.#reservations ??= new Map(reservations.value);
    if (reservation.status === 'active') this.#reservations.set(reservation.id, reservation);
    else this.#reservations.delete(reservation.id);
  }

  apply(): void {
    batch(() => {
      if (this.#held) held.value = this.#held;
      if (this.#reservations) reservations.value = this.#reservations;
      for (const [kind, count] of this.#kinds) eventsOf(kind).value += count;
    });
    for (const reading of this.#stale) readSoon(reading);
  }
}
