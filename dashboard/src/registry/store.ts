import { batch, computed, signal } from '@preact/signals';
import {
  type Audit,
  answerOf,
  api,
  type ExcludedPort,
  type Held,
  type ListeningPort,
  listAll,
  MAX_PAGE,
  type Range,
  type Reservation,
} from './api.js';
import { listAuditsUntilAllIsCovered } from './kept-audits.js';
import { bySpot, compareSpaces, DEFAULT_SPACE, nameSpot, type Space } from './port-space.js';

// The registry as this page knows it: read once by `readAll`, and kept true by the change feed (feed/).

/** What is held on every host, by id. */
export const held = signal<ReadonlyMap<string, Held>>(new Map());
/** The active reservations on every host, by id. */
export const reservations = signal<ReadonlyMap<string, Reservation>>(new Map());
/** What was released too recently for another service, on every host. */
export const cooling = signal<readonly Held[]>([]);
/** Why a port is given to nobody unasked, by port. */
export const excluded = signal<ReadonlyMap<number, ExcludedPort>>(new Map());
/** What listens on the machine of the service. Empty where the caller may not know. */
export const listening = signal<readonly ListeningPort[]>([]);
/** The audits that are kept, newest first, down to one that covers everything. */
export const audits = signal<readonly Audit[]>([]);
/** The ranges with their counts in `countedSpace`. */
export const ranges = signal<readonly Range[]>([]);
/** Whether the registry was read. It stays on the screen while the service cannot be reached. */
export const isRead = signal(false);

/** The port space in which the ranges are counted: the one that the map and the pages of projects show. */
export const countedSpace = signal<Space>(DEFAULT_SPACE);

const hostsOf = (all: Iterable<Held>): ReadonlySet<string> => new Set(Array.from(all, ({ host }) => host));

export const hostsInUse = computed(() => hostsOf(held.value.values()));
export const heldBySpot = computed(() => bySpot(held.value.values()));
/** Who holds a number on whatever host and protocol, by host. */
export const heldByPort = computed<ReadonlyMap<number, Held[]>>(() => {
  const found = new Map<number, Held[]>();
  for (const one of [...held.value.values()].sort(compareSpaces)) {
    const holders = found.get(one.port);
    if (holders === undefined) found.set(one.port, [one]);
    else holders.push(one);
  }
  return found;
});
export const reservationsBySpot = computed(() => bySpot(reservations.value.values()));
export const coolingBySpot = computed(() => bySpot(cooling.value));
export const listeningBySpot = computed(() => bySpot(listening.value));

/** Lists that are read again as a whole, because no event tells all that changes them. */
export const wholeLists = {
  ranges: async () => {
    const space = countedSpace.value;
    const query = { ...space, limit: MAX_PAGE };
    const list = await listAll((page) => answerOf(api.GET('/v1/ranges', { params: { query: { ...query, ...page } } })));
    return () => {
      if (space === countedSpace.value) ranges.value = list;
    };
  },
  cooling: async () => {
    const query = { status: 'cooling', limit: MAX_PAGE } as const;
    const list = await listAll((page) =>
      answerOf(api.GET('/v1/allocations', { params: { query: { ...query, ...page } } })),
    );
    return () => {
      cooling.value = list;
    };
  },
  excluded: async () => {
    const list = await listAll((page) =>
      answerOf(api.GET('/v1/excluded-ports', { params: { query: { limit: MAX_PAGE, ...page } } })),
    );
    return () => {
      excluded.value = new Map(list.map((one) => [one.port, one]));
    };
  },
  listening: async () => {
    const list = await listAll((page) =>
      answerOf(api.GET('/v1/listeners', { params: { query: { limit: MAX_PAGE, ...page } } })),
    );
    return () => {
      listening.value = list;
    };
  },
  audits: () => readAudits(audits.value, () => hostsInUse.value),
} satisfies Record<string, () => Promise<Taking>>;

export const readings = {
  ...wholeLists,
  /**
   * Which reservations have ended at their time, of which an event tells up to a minute later. Events tell of all
   * others.
   */
  reservations: async () => {
    const known = reservations.value;
    const active = new Set((await listReservations()).map(({ id }) => id));
    return () => {
      reservations.value = new Map([...reservations.value].filter(([id]) => active.has(id) || !known.has(id)));
    };
  },
  /**
   * When services were last seen: a probe that finds one open again changes that and makes no event. Nothing else is
   * taken of the list, because what it has of the rest may be older than the events that came while it was read.
   */
  lastUsed: async () => {
    const list = await listHeld();
    return () => noteSeen(list);
  },
} satisfies Record<string, () => Promise<Taking>>;
export type Reading = keyof typeof readings;

/** Takes a list that was read, so that lists that were read together come onto the screen together. */
type Taking = () => void;

const listHeld = () =>
  listAll((page) => answerOf(api.GET('/v1/allocations', { params: { query: { limit: MAX_PAGE, ...page } } })));

const listReservations = () =>
  listAll((page) => answerOf(api.GET('/v1/reservations', { params: { query: { limit: MAX_PAGE, ...page } } })));

async function readAudits(...what: Parameters<typeof listAuditsUntilAllIsCovered>): Promise<Taking> {
  const list = await listAuditsUntilAllIsCovered(...what);
  return () => {
    audits.value = list;
  };
}

/** Reads everything. @throws Refusal, or NoAnswer */
export async function readAll(): Promise<void> {
  const allocations = listHeld();
  const { audits: _, ...others } = wholeLists;
  const [ofHeld, ofReserved, ...taking] = await Promise.all([
    allocations,
    listReservations(),
    readAudits([], async () => hostsOf(await allocations)),
    ...Object.values(others).map((read) => read()),
  ]);
  batch(() => {
    held.value = new Map(ofHeld.map((allocation) => [allocation.id, allocation]));
    reservations.value = new Map(ofReserved.map((reservation) => [reservation.id, reservation]));
    for (const take of taking) take();
    isRead.value = true;
  });
}

/** What is held, as seen at a time, if that is later than what is known. */
export function seenAt(one: Held, lastUsedAt: string | null): Held {
  return lastUsedAt !== null && lastUsedAt > (one.lastUsedAt ?? '') ? { ...one, lastUsedAt } : one;
}

/** Notes when services were seen. */
export function noteSeen(seen: readonly Pick<Held, 'id' | 'lastUsedAt'>[]): void {
  const next = new Map(held.value);
  for (const { id, lastUsedAt } of seen) {
    const known = next.get(id);
    if (known !== undefined) next.set(id, seenAt(known, lastUsedAt));
  }
  held.value = next;
}

/** Forgets everything, so that nothing stays on the screen that needed a key which is not there any more. */
export function forgetAll(): void {
  batch(() => {
    held.value = new Map();
    reservations.value = new Map();
    cooling.value = [];
    excluded.value = new Map();
    listening.value = [];
    audits.value = [];
    ranges.value = [];
    isRead.value = false;
  });
}

/** The one who has a spot now. */
export function holderOf(spot: { port: number } & Space): Held | Reservation | null {
  const name = nameSpot(spot);
  return heldBySpot.value.get(name) ?? reservationsBySpot.value.get(name) ?? null;
}
