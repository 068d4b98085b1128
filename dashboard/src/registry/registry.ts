import { effect, signal } from '@preact/signals';
import {
  type Allocation,
  answerOf,
  api,
  describeFailure,
  listAll,
  PAGE,
  type Range,
  Refusal,
  type Reservation,
  type Space,
} from './api.js';
import { findCooling, takenPorts } from './cooling.js';

export interface Registry {
  /** The port space that the ranges' counts and `cooling` are of. */
  space: Space;
  ranges: Range[];
  /** Active ones, on every host. */
  allocations: Allocation[];
  reservations: Reservation[];
  cooling: ReadonlySet<number>;
  loadedAt: Date;
}

const REFRESH_MS = 15_000;
/** After a failure: soon, since people wait for it. */
const RETRY_MS = 5000;

/** What the map shows. */
export const space = signal<Space>({ host: 'localhost', protocol: 'tcp' });
/** The last that was read; null until then. Stays while the service is away. */
export const registry = signal<Registry | null>(null);
/** Why the last attempt to read failed; null after a success. */
export const failure = signal<{ reason: string; needsKey: boolean } | null>(null);

let running: Promise<void> | null = null;
let again = false;

/** Reads everything anew. Calls that come while it reads share one further reading: theirs has to see what they did. */
export function refresh(): Promise<void> {
  if (running) {
    again = true;
    return running;
  }
  running = (async () => {
    do {
      again = false;
      await load();
    } while (again);
  })().finally(() => {
    running = null;
    schedule();
  });
  return running;
}

async function load(): Promise<void> {
  const query = space.value;
  try {
    const limit = PAGE;
    const [ranges, allocations, reservations] = await Promise.all([
      listAll((cursor) => answerOf(api.GET('/v1/ranges', { params: { query: { ...query, limit, ...cursor } } }))),
      listAll((cursor) => answerOf(api.GET('/v1/allocations', { params: { query: { limit, ...cursor } } }))),
      listAll((cursor) => answerOf(api.GET('/v1/reservations', { params: { query: { limit, ...cursor } } }))),
    ]);
    const taken = takenPorts(query, [...allocations, ...reservations]);
    const cooling = await findCooling(query, ranges, taken, registry.peek()?.cooling ?? new Set());
    registry.value = { space: query, ranges, allocations, reservations, cooling, loadedAt: new Date() };
    failure.value = null;
  } catch (error) {
    const needsKey = error instanceof Refusal && error.status === 401;
    if (needsKey) registry.value = null; // what a key let see is not left on the screen without it
    failure.value = { reason: describeFailure(error), needsKey };
  }
}

let timer: ReturnType<typeof setTimeout> | undefined;

function schedule(): void {
  clearTimeout(timer);
  if (failure.value?.needsKey) return; // until there is one, nothing would change
  timer = setTimeout(
    () => {
      if (document.visibilityState === 'visible') void refresh(); // a page that nobody looks at asks nothing
    },
    failure.value === null ? REFRESH_MS : RETRY_MS,
  );
}

/** Reads now, whenever the port space changes, and from time to time. */
export function keepFresh(): void {
  effect(() => {
    void space.value;
    void refresh();
  });
  document.addEventListener('visibilitychange', () => {
    if (document.visibilityState === 'visible') void refresh();
  });
}
