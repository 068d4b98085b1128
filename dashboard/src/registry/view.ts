import { computed, signal } from '@preact/signals';
import type { Allocation, Reservation } from './api.js';
import { findings } from './audit.js';
import { type Cell, fullnessOf, mapProjects, type ProjectMap } from './cells.js';
import { registry, space } from './registry.js';

export type Focus = 'all' | 'full' | 'down' | 'conflict';
export type Order = 'port' | 'name' | 'fullness';

/** What people chose to look at. */
export const query = signal('');
export const environment = signal('');
export const focus = signal<Focus>('all');
export const order = signal<Order>('port');
/** The port whose details are shown, in the map's port space; `focus` when the keyboard goes there too. */
export const selected = signal<{ port: number; focus: boolean } | null>(null);

export const projects = computed<ProjectMap[]>(() =>
  registry.value === null ? [] : mapProjects(registry.value, findings.value),
);

const words = computed(() => query.value.trim().toLowerCase().split(/\s+/).filter(Boolean));

export const isFiltered = computed(() => words.value.length > 0 || environment.value !== '' || focus.value !== 'all');

/** Whether a cell is among what people look for; a free port is found by its number alone. */
export function matches(cell: Cell): boolean {
  if (focus.value === 'down' && cell.state !== 'down') return false;
  if (focus.value === 'conflict' && cell.state !== 'conflict') return false;
  if (environment.value !== '' && cell.allocation?.environment !== environment.value) return false;
  const held = cell.allocation ?? cell.reservation;
  return words.value.every((word) => (held ? textOf(held) : String(cell.port)).includes(word));
}

/** The projects with anything to show, in the order chosen. */
export const shown = computed<ProjectMap[]>(() => {
  const some = projects.value.filter((map) => {
    if (focus.value === 'full' && fullnessOf(map) === 'roomy') return false;
    return !isFiltered.value || map.ranges.some(({ cells }) => cells.some(matches));
  });
  if (order.value === 'name') return some.sort((a, b) => a.project.localeCompare(b.project));
  if (order.value === 'fullness') return some.sort((a, b) => b.held / b.total - a.held / a.total);
  return some;
});

export type Held = Allocation | Reservation;

/** What the search finds, on every host. */
export const results = computed<Held[]>(() => {
  if (registry.value === null || words.value.length === 0) return [];
  const { allocations, reservations } = registry.value;
  return [...allocations, ...reservations]
    .filter((held) => words.value.every((word) => textOf(held).includes(word)))
    .filter((held) => environment.value === '' || ('environment' in held && held.environment === environment.value))
    .sort((a, b) => a.port - b.port);
});

/** The number that was typed, if it is one. */
export const typedPort = computed(() => {
  const port = /^\d+$/.test(query.value.trim()) ? Number(query.value) : 0;
  return port >= 1 && port <= 65535 ? port : null;
});

const texts = new WeakMap<Held, string>();

function textOf(held: Held): string {
  const known = texts.get(held);
  if (known !== undefined) return known;
  const fields =
    'environment' in held
      ? [held.cloudflareHostname, held.description, held.serviceType, held.environment]
      : [held.reservedBy, held.reason];
  const text = [held.port, held.project, held.service, ...fields].join(' ').toLowerCase();
  texts.set(held, text);
  return text;
}

/** Hosts that hold anything, with how many ports. */
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

/** Shows a port's details, in whatever port space it is. */
export function selectPort(port: number, of = space.value, focus = true): void {
  if (of.host !== space.value.host || of.protocol !== space.value.protocol) {
    space.value = { host: of.host, protocol: of.protocol };
  }
  selected.value = { port, focus };
}

export function clearFilters(): void {
  query.value = '';
  environment.value = '';
  focus.value = 'all';
}
