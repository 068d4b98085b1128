import { computed, effect } from '@preact/signals';
import { go, parameter } from '../place.js';
import type { Protocol } from './api.js';
import { DEFAULT_SPACE, isIn, readHost, readSpot, type Space } from './port-space.js';
import { fullnessOf, projects } from './projects.js';
import { readSoon } from './readings.js';
import { hasWords, type Row, rows, wordsOf } from './rows.js';
import { countedSpace, isRead } from './store.js';

// What people have chosen to see. It stands in the address bar; '' stands for everything.
export const view = computed(() => parameter('view').value || 'services');
export const query = parameter('q');
/** What is no host counts as none, because the service answers nothing about it. */
export const host = computed(() => readHost(parameter('host').value) ?? '');
export const protocol = computed(() => readProtocol(parameter('protocol').value));
export const project = parameter('project');
export const environment = parameter('environment');
export const state = parameter('state');

/** The spot whose details are shown; null for none. */
export const chosen = computed(() => readSpot(parameter('port').value));

/** The port space of what can show only one, such as the map. */
export const space = computed<Space>(() => ({
  host: host.value || DEFAULT_SPACE.host,
  protocol: protocol.value || DEFAULT_SPACE.protocol,
}));

function readProtocol(text: string): Protocol | '' {
  return text === 'tcp' || text === 'udp' ? text : '';
}

export const isFiltered = computed(() =>
  [query, project, environment, state].some((parameter) => parameter.value.trim() !== ''),
);

export function clearFilters(): void {
  go({ q: null, project: null, environment: null, state: null });
}

/** The rows that the filters leave. */
export const shownRows = computed<Row[]>(() => {
  const words = wordsOf(query.value);
  return rows.value.filter(
    (row) =>
      (host.value === '' || row.host === host.value) &&
      (protocol.value === '' || row.protocol === protocol.value) &&
      (project.value === '' || row.project === project.value) &&
      (environment.value === '' || row.environment === environment.value) &&
      isOfState(row) &&
      hasWords(row, words),
  );
});

/**
 * Whether a row is of the state that is chosen. `held` is whatever is held, in use or not, and `full` is what belongs
 * to a project that is full or nearly full.
 */
function isOfState(row: Row): boolean {
  if (state.value === '') return true;
  if (state.value === 'held') return row.held !== null;
  return state.value === 'full' ? crowdedProjects.value.has(row.project) : row.state === state.value;
}

/** The projects that are full or nearly full in the port space that is chosen. */
export const crowdedProjects = computed(
  () => new Set(projects.value.filter((one) => fullnessOf(one) !== 'roomy').map(({ name }) => name)),
);

/** All hosts on which something is held or reserved, localhost first. */
export const hosts = computed<string[]>(() => {
  const names = new Set(rows.value.map((row) => row.host));
  names.add(space.value.host);
  names.delete(DEFAULT_SPACE.host);
  return [DEFAULT_SPACE.host, ...[...names].sort()];
});

export const environments = computed<string[]>(() =>
  [...new Set(rows.value.flatMap((row) => row.environment ?? []))].sort(),
);

/** Counts the ranges in the port space that is chosen. */
export function countChosenSpace(): void {
  effect(() => {
    const next = space.value;
    if (isIn(countedSpace.peek(), next)) return;
    countedSpace.value = next;
    if (isRead.peek()) readSoon('ranges', 0);
  });
}
