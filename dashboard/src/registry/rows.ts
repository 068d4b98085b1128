import { computed } from '@preact/signals';
import type { Held, ListeningPort, Reservation } from './api.js';
import { nameSpot, type Spot } from './port-space.js';
import { type PortState, stateOf } from './states.js';
import { held, listeningBySpot, reservations } from './store.js';

/** A number that somebody has, on whatever host. */
export interface Row extends Spot {
  /** The name of the spot: what the page calls it in the address bar. */
  spot: string;
  project: string;
  /** Null where it is reserved for no service in particular. */
  service: string | null;
  /** Null of a reservation. */
  environment: string | null;
  state: PortState;
  /** Who listens, where that is the machine of the service and the caller may know. */
  listener: ListeningPort | null;
  lastSeenAt: string | null;
  since: string;
  held: Held | null;
  reservation: Reservation | null;
}

/** Everything that is held or reserved, by port. */
export const rows = computed<Row[]>(() => {
  const all: Row[] = [];
  for (const one of held.value.values()) all.push(rowOf(one, makeRowOfHeld));
  for (const one of reservations.value.values()) all.push(rowOf(one, makeRowOfReservation));
  return all.sort((a, b) => a.port - b.port || (a.spot < b.spot ? -1 : 1));
});

/**
 * The rows that were made last. An event changes one of thousands, and to make all again took 50 ms for 5,000: most of
 * them are as they were.
 */
const made = new WeakMap<Held | Reservation, Row>();

function rowOf<T extends Held | Reservation>(one: T, make: (one: T) => Row): Row {
  const before = made.get(one) ?? make(one);
  const state = stateOf(before, before.spot);
  const listener = listeningBySpot.value.get(before.spot) ?? null;
  const row = before.state === state && before.listener === listener ? before : { ...before, state, listener };
  made.set(one, row);
  return row;
}

function makeRowOfHeld(one: Held): Row {
  const { port, host, protocol, project, service, environment, lastUsedAt, allocatedAt } = one;
  const times = { lastSeenAt: lastUsedAt, since: allocatedAt };
  const has = { project, service, environment, ...times, held: one, reservation: null };
  return { port, host, protocol, spot: nameSpot(one), state: 'held', listener: null, ...has };
}

function makeRowOfReservation(one: Reservation): Row {
  const { port, host, protocol, project, service, createdAt } = one;
  const times = { lastSeenAt: null, since: createdAt };
  const has = { project, service, environment: null, ...times, held: null, reservation: one };
  return { port, host, protocol, spot: nameSpot(one), state: 'reserved', listener: null, ...has };
}

const searchTexts = new WeakMap<Held | Reservation, string>();

/** Whether a row has each of the words in what is known of it. */
export function hasWords(row: Row, words: readonly string[]): boolean {
  if (words.length === 0) return true;
  const listener = row.listener?.process?.toLowerCase() ?? '';
  const text = searchTextOf((row.held ?? row.reservation) as Held | Reservation);
  return words.every((word) => text.includes(word) || listener.includes(word));
}

function searchTextOf(one: Held | Reservation): string {
  const known = searchTexts.get(one);
  if (known !== undefined) return known;
  const fields =
    'environment' in one
      ? [one.environment, one.cloudflareHostname, one.description, one.serviceType]
      : [one.reservedBy, one.reason];
  const text = [one.port, one.project, one.service, `${one.project}/${one.service}`, one.host, ...fields]
    .join(' ')
    .toLowerCase();
  searchTexts.set(one, text);
  return text;
}

/** The words of a search. */
export function wordsOf(query: string): string[] {
  return query.trim().toLowerCase().split(/\s+/).filter(Boolean);
}
