import { computed, signal } from '@preact/signals';
import type { Allocation, Reservation } from './api.js';
import { findings } from './audit.js';
import { type Cell, fullnessOf, mapProjects, type ProjectMap } from './cells.js';
import { registry, space } from './registry.js';

export type StateFilter = 'all' | 'full' | 'stopped' | 'conflict';
export type Order = 'port' | 'name' | 'fullness';

// What people have chosen to see.
export const query = signal('');
export const environment = signal('');
export const stateFilter = signal<StateFilter>('all');
export const order = signal<Order>('port');
/** The port of the map whose details are shown. `focus` says whether the keyboard focus moves to the details. */
export const selected = signal<{ port: number; focus: boolean } | null>(null);

export const projects = computed<ProjectMap[]>(() =>
  registry.value === null ? [] : mapProjects(registry.value, findings.value),
);

const words = computed(() => query.value.trim().toLowerCase().split(/\s+/).filter(Boolean));

export const isFiltered = computed(
  () => words.value.length > 0 || environment.value !== '' || stateFilter.value !== 'all',
);

/** Whether a cell matches the search and the filters. A free port can be found by its number only. */
export function matches(cell: Cell): boolean {
  if (stateFilter.value === 'stopped' && cell.state !== 'stopped') return false;
  if (stateFilter.value === 'conflict' && cell.state !== 'conflict') return false;
  if (environment.value !== '' && cell.allocation?.environment !== environment.value) return false;
  const held = cell.allocation ?? cell.reservation;
  return words.value.every((word) => (held ? searchTextOf(held) : String(cell.port)).includes(word));
}

/** The projects in which something matches the search and the filters, in the chosen order. */
export const shown = computed<ProjectMap[]>(() => {
  const some = projects.value.filter((map) => {
    if (stateFilter.value === 'full' && fullnessOf(map) === 'roomy') return false;
    return !isFiltered.value || map.ranges.some(({ cells }) => cells.some(matches));
  });
  if (order.value === 'name') return some.sort((a, b) => a.project.localeCompare(b.project));
  if (order.value === 'fullness') return some.sort((a, b) => b.held / b.total - a.held / a.total);
  return some;
});

export type Held = Allocation | Reservation;

/** The allocations and reservations that the search finds, on every host. */
export const results = computed<Held[]>(() => {
  if (registry.value === null || words.value.length === 0) return [];
  const { allocations, reservations } = registry.value;
  return [...allocations, ...reservations]
    .filter((held) => words.value.every((word) => searchTextOf(held).includes(word)))
    .filter((held) => environment.value === '' || ('environment' in held && held.environment === environment.value))
    .sort((a, b) => a.port - b.port);
});

/** The search text as a port, if it is a valid port number. */
export const typedPort = computed(() => {
  const port = /^\d+$/.test(query.value.trim()) ? Number(query.value) : 0;
  return port >= 1 && port <= 65535 ? port : null;
});

const searchTexts = new WeakMap<Held, string>();

function searchTextOf(held: Held): string {
  const known = searchTexts.get(held);
  if (known !== undefined) return known;
  const fields =
    'environment' in held
      ? [held.cloudflareHostname, held.description, held.serviceType, held.environment]
      : [held.reservedBy, held.reason];
  const text = [held.port, held.project, held.service, ...fields].join(' ').toLowerCase();
  searchTexts.set(held, text);
  return text;
}

/** All hosts with an allocation or reservation, and how many ports are allocated on each. */
export const hosts = computed<[host: string, ports: number][]>(() => {
  const counts = new Map([['localhost', 0]]);
  counts.set(space.value.host, 0);
  for (const { host } of registry.value?.allocations ?? []) counts.set(host, (counts.get(host) ?? 0) + 1);
  for (const { host } of registry.value?.reservations ?? []) counts.set(host, counts.get(host) ?? 0);
  return [...counts].sort(([a], [b]) => Number(b === 'localhost') - Number(a === 'localhost') || a.localeCompare(b));
});

export const environments = computed<string[]>(() =>
  [...new Set((registry.value?.allocations ?? []).map((allocation) => allocation.environment))].sort(),
);

/** Shows a port's details. If it is in another port space, the map changes to that. */
export function selectPort(port: number, of = space.value, focus = true): void {
  if (of.host !== space.value.host || of.protocol !== space.value.protocol) {
    space.value = { host: of.host, protocol: of.protocol };
  }
  selected.value = { port, focus };
}

export function clearFilters(): void {
  query.value = '';
  environment.value = '';
  stateFilter.value = 'all';
}
