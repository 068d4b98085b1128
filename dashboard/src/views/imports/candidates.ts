import { computed, signal } from '@preact/signals';
import type { ListeningPort } from '../../registry/api.js';
import { ownerOf } from '../../registry/audits.js';
import { nameSpot } from '../../registry/port-space.js';
import { excluded, heldBySpot, listening, reservationsBySpot } from '../../registry/store.js';
import { toServiceName } from '../../service-name.js';

/** What a port is to be imported as. An empty environment stands for `default`. */
export interface Names {
  service: string;
  environment: string;
}

/** Something that listens on the machine of the service, in a range, on a port that nobody holds. */
export interface Candidate extends Names {
  spot: string;
  listener: ListeningPort;
  project: string;
  isWanted: boolean;
}

type Chosen = Partial<Names & { isWanted: boolean }>;

/** What was chosen and typed of each, by spot. It lives as long as the page. */
const chosen = signal<ReadonlyMap<string, Chosen>>(new Map());

export function chooseOf(spots: readonly string[], change: Chosen): void {
  const next = new Map(chosen.value);
  for (const spot of spots) next.set(spot, { ...next.get(spot), ...change });
  chosen.value = next;
}

const unheld = computed(() => listening.value.filter((one) => !heldBySpot.value.has(nameSpot(one))));

export const candidates = computed<Candidate[]>(() =>
  unheld.value.flatMap((listener) => {
    const project = ownerOf(listener.port);
    if (project === null) return [];
    const spot = nameSpot(listener);
    // What is kept for somebody, or for nobody, is rarely what somebody wants to import.
    const isWanted = !reservationsBySpot.value.has(spot) && !excluded.value.has(listener.port);
    const names = { service: toServiceName(listener.process, listener.port), environment: '' };
    return [{ spot, listener, project, ...names, isWanted, ...chosen.value.get(spot) }];
  }),
);

/** What listens where no range is, so that it cannot be imported. */
export const outside = computed(() => unheld.value.filter(({ port }) => ownerOf(port) === null));
