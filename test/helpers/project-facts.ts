import type { Expiry } from '../../src/allocator/environments.js';
import type { RoomFacts } from '../../src/allocator/limits/room.js';
import type { CoolingPort, RangeBounds, SpaceFacts, TriedPorts } from '../../src/allocator/port-space.js';
import type { ProjectFacts } from '../../src/allocator/project-state.js';
import type { Round, Writes } from '../../src/allocator/writes.js';
import { UNLIMITED } from '../../src/config/project-limits.js';
import type { AllocationRow, ReservationRow } from '../../src/database/tables.js';
import type { Holder } from '../../src/errors.js';
import { isSameSpace, type Space } from '../../src/keys.js';

export const PROJECT = 'odin';
/** The database's clock in every test. */
export const NOW = new Date('2026-01-02T03:04:05.000Z');
export const TCP: Space = { host: 'localhost', protocol: 'tcp' };
export const UDP: Space = { host: 'localhost', protocol: 'udp' };
/** The port spaces that facts always tell of, whatever the rows are. */
const SPACES: Space[] = [TCP, UDP, { host: '10.0.0.7', protocol: 'tcp' }];

/** What the database holds, as far as it matters to one project. Rows may be of other projects too. */
export interface Rows {
  /** The project's own, by start port. */
  ranges: RangeBounds[];
  allocations: AllocationRow[];
  reservations: ReservationRow[];
  answers: ProjectFacts['answers'];
  /** Excluded ports. */
  excluded: number[];
  /** Ports of this machine on which no server could listen. All others of it were tried and are usable. */
  unusable: (Space & { port: number })[];
  /** Hostnames that other projects have. */
  hostnamesOfOthers: string[];
  /** The records of the project's environments. */
  environments: RecordedEnvironment[];
}

/** What is on record of an environment, when it was used last besides its allocations, and when its end was told. */
export interface RecordedEnvironment {
  environment: string;
  path?: string | null;
  expiry?: Expiry | null;
  usedAt?: Date;
  toldAt?: Date | null;
}

export const secondsFromNow = (seconds: number): Date => new Date(NOW.getTime() + seconds * 1000);

/** @param cooldown in seconds */
export const range = (start: number, end: number, cooldown = 0): RangeBounds => {
  return { start_port: start, end_port: end, reuse_cooldown_seconds: cooldown };
};

const { healthChecks: _, ...left } = UNLIMITED;
/** Nothing is limited. */
const UNLIMITED_ROOM: RoomFacts = { limits: UNLIMITED, left, newHosts: [], newEnvironments: [] };

/** An active allocation, of the service `api` and an hour old unless something else is said. */
export function held(port: number, given: Partial<AllocationRow> = {}): AllocationRow {
  const allocatedAt = secondsFromNow(-3600);
  return {
    id: `allocation of ${port}`,
    port,
    project: PROJECT,
    service: 'api',
    environment: 'default',
    ...TCP,
    status: 'allocated',
    service_type: null,
    description: null,
    cloudflare_hostname: null,
    hostname_withheld_at: null,
    metadata: null,
    allocated_at: allocatedAt,
    last_used_at: null,
    released_at: null,
    updated_at: allocatedAt,
    ...given,
  };
}

export function released(port: number, secondsAgo: number, given: Partial<AllocationRow> = {}): AllocationRow {
  const releasedAt = secondsFromNow(-secondsAgo);
  const id = `former allocation of ${port}`;
  return held(port, { id, status: 'released', released_at: releasedAt, updated_at: releasedAt, ...given });
}

/** An active reservation for no particular service, with ten minutes left unless something else is said. */
export function reserved(port: number, given: Partial<ReservationRow> = {}): ReservationRow {
  return {
    id: `reservation of ${port}`,
    port,
    project: PROJECT,
    service: null,
    ...TCP,
    reserved_by: null,
    reason: null,
    created_at: secondsFromNow(-60),
    expires_at: secondsFromNow(600),
    ended_at: null,
    status: 'active',
    allocation_id: null,
    ...given,
  };
}

/** Rows with one range of four ports and nothing in it, unless something else is said. */
export function rowsOf(given: Partial<Rows>): Rows {
  return {
    ranges: [range(3000, 3003)],
    allocations: [],
    reservations: [],
    answers: [],
    excluded: [],
    unusable: [],
    hostnamesOfOthers: [],
    environments: [],
    ...given,
  };
}

/**
 * The facts that follow from the rows, by the same rules as the queries of look.ts. They tell all there is of the
 * project, which is more than look.ts reads for any command. The rows are copied, because decisions change them.
 */
export function factsOf(given: Partial<Rows>): ProjectFacts {
  const rows = structuredClone(rowsOf(given));
  const { ranges, allocations, reservations, answers, hostnamesOfOthers } = rows;
  const isOwn = ({ project }: { project: string }) => project === PROJECT;
  const spaces = new Map([...SPACES, ...allocations, ...reservations].map((space) => [nameOf(space), space]));
  return {
    project: PROJECT,
    now: NOW,
    ranges,
    allocations: allocations.filter(isOwn),
    reservations: reservations.filter(isOwn),
    environments: environmentsOf(rows),
    answers,
    excluded: rows.excluded,
    hostnamesOfOthers,
    room: UNLIMITED_ROOM,
    spaces: [...spaces.values()].map((space) => factsOfSpace(space, rows)),
  };
}

function environmentsOf({ allocations, environments }: Rows): ProjectFacts['environments'] {
  const active = allocations.filter((row) => row.project === PROJECT && row.released_at === null);
  const names = new Set(['default', 'staging', ...[...active, ...environments].map(({ environment }) => environment)]);
  return [...names].map((environment) => {
    const rows = active.filter((row) => row.environment === environment);
    const record = environments.find((row) => row.environment === environment);
    const { path = null, expiry = null, toldAt = null } = record ?? {};
    const uses = rows.flatMap((row) => [row.allocated_at, row.last_used_at ?? row.allocated_at]);
    const usedAt = Math.max(...[...uses, record?.usedAt ?? new Date(0)].map(Number));
    const isTold = toldAt !== null && Number(toldAt) > usedAt;
    return {
      environment,
      is_on_record: record !== undefined,
      path,
      expires_after_seconds: expiry?.expiresAfterSeconds ?? null,
      on_expiry: expiry?.onExpiry ?? null,
      expires_at: expiry && new Date(usedAt + expiry.expiresAfterSeconds * 1000),
      is_told: isTold,
      held: rows.length,
    };
  });
}

function factsOfSpace({ host, protocol }: Space, rows: Rows): SpaceFacts {
  const isHere = (row: Space) => isSameSpace(row, { host, protocol });
  const allocations = rows.allocations.filter(isHere);
  const active = allocations.filter((row) => row.released_at === null);
  const reservations = rows.reservations.filter(isHere).filter(isActive);
  const cooling = rows.ranges.flatMap((range) => coolingIn(range, allocations));
  const ports = rows.ranges.flatMap((range) => portsOf(range));
  const unavailable = new Set([...[...active, ...reservations, ...cooling].map(({ port }) => port), ...rows.excluded]);
  return {
    host,
    protocol,
    free: ports.filter((port) => !unavailable.has(port)),
    isFreeRead: true,
    tried: host === 'localhost' ? triedOf(ports, rows.unusable.filter(isHere)) : null,
    cooling,
    holders: [
      ...reservations.map((row) => ({ port: row.port, holder: toHolder('reservation', row) })),
      ...active.map((row) => ({ port: row.port, holder: toHolder('allocation', row) })),
    ],
    reserved: reservations
      .filter(({ port }) => ports.includes(port))
      .map((row) => ({ port: row.port, holder: toHolder('reservation', row), expires_at: row.expires_at })),
  };
}

function triedOf(ports: number[], listenedOn: { port: number }[]): TriedPorts {
  const unusable = new Set(listenedOn.map(({ port }) => port));
  return { usable: new Set(ports.filter((port) => !unusable.has(port))), unusable };
}

const isActive = (row: ReservationRow): boolean => row.status === 'active' && row.expires_at > NOW;

/** Each port cools down for whoever released it last. */
function coolingIn(range: RangeBounds, allocations: AllocationRow[]): CoolingPort[] {
  return portsOf(range).flatMap((port) => {
    const history = allocations.filter((row) => row.port === port);
    const last = history
      .filter((row) => row.released_at !== null)
      .sort(byRelease)
      .at(-1);
    if (!last?.released_at || history.some((row) => row.released_at === null)) return [];
    const available_at = new Date(last.released_at.getTime() + range.reuse_cooldown_seconds * 1000);
    const { project, service, environment } = last;
    return available_at > NOW ? [{ port, project, service, environment, available_at }] : [];
  });
}

const byRelease = (a: AllocationRow, b: AllocationRow) => Number(a.released_at) - Number(b.released_at);

const portsOf = ({ start_port, end_port }: RangeBounds): number[] =>
  Array.from({ length: end_port - start_port + 1 }, (_, place) => start_port + place);

function toHolder(kind: Holder['kind'], row: AllocationRow | ReservationRow): Holder {
  const environment = 'environment' in row ? row.environment : null;
  return { kind, id: row.id, project: row.project, service: row.service, environment };
}

/** The rows after the writes, which are applied as the statements of write.ts would. */
export function rowsAfter(given: Partial<Rows>, { rounds, answers }: Writes): Rows {
  const rows = structuredClone(rowsOf(given));
  for (const round of rounds) applyRound(rows, structuredClone(round));
  rows.answers.push(
    ...structuredClone(answers).map(({ caller, key, requestHash, response }) => {
      return { caller, key, request_hash: requestHash, response: response as Rows['answers'][number]['response'] };
    }),
  );
  return rows;
}

function applyRound(
  rows: Rows,
  { released, inserted, updated, changedReservations, insertedReservations, environments }: Round,
): void {
  rows.environments = [
    ...rows.environments.filter(({ environment }) => !environments.has(environment)),
    ...[...environments].flatMap(([environment, record]) =>
      record === null ? [] : [{ environment, ...record, usedAt: NOW }],
    ),
  ].sort((a, b) => (a.environment < b.environment ? -1 : 1));
  for (const row of rows.allocations) {
    const releasedBy = released.get(row.id);
    if (releasedBy)
      Object.assign(row, { status: 'released', released_at: NOW, updated_at: NOW, released_by: releasedBy });
  }
  rows.allocations.push(...inserted);
  for (const {
    id,
    service_type,
    description,
    cloudflare_hostname,
    hostname_withheld_at,
    metadata,
    updated_at,
  } of updated) {
    const row = rows.allocations.find((other) => other.id === id);
    const changed = { service_type, description, cloudflare_hostname, hostname_withheld_at, metadata, updated_at };
    Object.assign(row as object, changed);
  }
  for (const { id, status, expires_at, ended_at, allocation_id } of changedReservations) {
    const row = rows.reservations.find((other) => other.id === id);
    Object.assign(row as object, { status, expires_at, ended_at, allocation_id });
  }
  for (const row of rows.reservations) {
    const isReplaced = [...insertedReservations].some(
      (other) => other.port === row.port && nameOf(other) === nameOf(row),
    );
    if (isReplaced && row.status === 'active' && row.expires_at <= NOW) {
      Object.assign(row, { status: 'expired', ended_at: row.expires_at });
    }
  }
  rows.reservations.push(...insertedReservations);
}

/** What must never be: two active rows on one port, and active rows outside the project's ranges. */
export function findConflictingRows({ ranges, allocations, reservations }: Rows): string[] {
  const active = [...allocations.filter((row) => row.released_at === null), ...reservations.filter(isActive)];
  const places = active.map((row) => `${row.port} ${nameOf(row)}`);
  const ports = ranges.flatMap(portsOf);
  return [
    ...places.filter((place, index) => places.indexOf(place) !== index).map((place) => `${place} is held twice`),
    ...active.filter(({ port }) => !ports.includes(port)).map(({ port }) => `${port} is in no range`),
  ];
}

const nameOf = ({ host, protocol }: Space) => `${protocol} ${host}`;
