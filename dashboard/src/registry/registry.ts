import { effect, signal } from '@preact/signals';
import {
  type Allocation,
  type Audit,
  answerOf,
  api,
  describeFailure,
  listAll,
  MAX_PAGE,
  type Range,
  Refusal,
  type Reservation,
  type Space,
} from './api.js';
import { findCooling, takenPorts } from './cooling.js';

export interface Registry {
  /** The port space to which `cooling` and the counts of the ranges belong. */
  space: Space;
  ranges: Range[];
  /** The active allocations on every host. */
  allocations: Allocation[];
  reservations: Reservation[];
  cooling: ReadonlySet<number>;
  /** The last audit of all projects on the host of `space`; null if none is kept. */
  lastAudit: Audit | null;
  /** Why each excluded port is excluded, by port. */
  excluded: ReadonlyMap<number, string>;
  loadedAt: Date;
}

const REFRESH_MS = 15_000;
/** After a failure the next attempt comes sooner, because people wait for it. */
const RETRY_MS = 5000;

/** The port space that the map shows. */
export const space = signal<Space>({ host: 'localhost', protocol: 'tcp' });
/** The registry as it was last read; null before the first time. It stays while the service is unavailable. */
export const registry = signal<Registry | null>(null);
/** Why the last attempt to read the registry failed; null after a success. */
export const failure = signal<{ reason: string; needsKey: boolean } | null>(null);

let running: Promise<void> | null = null;
let isWantedAgain = false;

/**
 * Reads the whole registry. Calls that come while it is being read share one further reading, which begins after them
 * and therefore sees what their callers have changed.
 */
export function refresh(): Promise<void> {
  if (running) {
    isWantedAgain = true;
    return running;
  }
  running = (async () => {
    do {
      isWantedAgain = false;
      await load();
    } while (isWantedAgain);
  })().finally(() => {
    running = null;
    schedule();
  });
  return running;
}

async function load(): Promise<void> {
  const query = space.value;
  try {
    const limit = MAX_PAGE;
    const [ranges, allocations, reservations, excludedPorts, audits] = await Promise.all([
      listAll((cursor) => answerOf(api.GET('/v1/ranges', { params: { query: { ...query, limit, ...cursor } } }))),
      listAll((cursor) => answerOf(api.GET('/v1/allocations', { params: { query: { limit, ...cursor } } }))),
      listAll((cursor) => answerOf(api.GET('/v1/reservations', { params: { query: { limit, ...cursor } } }))),
      listAll((cursor) => answerOf(api.GET('/v1/excluded-ports', { params: { query: { limit, ...cursor } } }))),
      answerOf(api.GET('/v1/audits', { params: { query: { host: query.host, covering: true, limit: 1 } } })),
    ]);
    const excluded = new Map(excludedPorts.map(({ port, reason }) => [port, reason]));
    const notCooling = new Set([...takenPorts(query, [...allocations, ...reservations]), ...excluded.keys()]);
    const cooling = await findCooling(query, ranges, notCooling, registry.peek()?.cooling ?? new Set());
    registry.value = {
      space: query,
      ranges,
      allocations,
      reservations,
      cooling,
      excluded,
      lastAudit: audits.items[0] ?? null,
      loadedAt: new Date(),
    };
    failure.value = null;
  } catch (error) {
    const needsKey = error instanceof Refusal && error.status === 401;
    if (needsKey) registry.value = null; // without a valid key, nothing stays on the screen that needed one
    failure.value = { reason: describeFailure(error), needsKey };
  }
}

let timer: ReturnType<typeof setTimeout> | undefined;

function schedule(): void {
  clearTimeout(timer);
  if (failure.value?.needsKey) return; // a further attempt without a key would be refused too
  timer = setTimeout(
    () => {
      if (document.visibilityState === 'visible') void refresh(); // a hidden page sends no requests
    },
    failure.value === null ? REFRESH_MS : RETRY_MS,
  );
}

/** Reads the registry now, regularly, whenever the port space changes, and when the page becomes visible again. */
export function keepRefreshing(): void {
  effect(() => {
    void space.value;
    void refresh();
  });
  document.addEventListener('visibilitychange', () => {
    if (document.visibilityState === 'visible') void refresh();
  });
}
