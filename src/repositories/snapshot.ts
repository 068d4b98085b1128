import { type RawBuilder, sql, type Transaction } from 'kysely';
import type { AllocationRow, Json, ReservationRow, Tables } from '../database/tables.js';
import type { Holder } from '../errors.js';
import type { AllocationKey, IdempotencyClaim, ProjectCommand, Space } from './commands.js';
import { findAnswers } from './idempotency.js';
import type { CoolingPort, SpaceSnapshot } from './port-space.js';
import {
  type Ask,
  coolingPortsOf,
  freePortsOf,
  holdersOf,
  type RowsWanted,
  reservedOf,
  rowsOf,
} from './snapshot-queries.js';

/** What was seen under the project's lock; enough to decide the commands it was looked up for. */
export interface Snapshot {
  project: string;
  /** The database's clock, read after the lock was granted. */
  now: Date;
  ranges: LockedRange[];
  /** Every active row of each key and environment, and the row of each port and id, that was asked for. */
  allocations: AllocationRow[];
  /** The row of each id asked for. */
  reservations: ReservationRow[];
  spaces: SpaceSnapshot[];
  answers: { caller: string; key: string; request_hash: string; response: Json }[];
}

export interface LockedRange {
  start_port: number;
  end_port: number;
  reuse_cooldown_seconds: number;
}

/** What one command has to see. */
interface Needs {
  keys?: AllocationKey[];
  ids?: string[];
  reservationId?: string;
  /** All that is active in it. */
  environment?: Space & { environment: string };
  /** Ports that it may take: a particular one, or null for the lowest. */
  takes?: (Space & { port: number | null })[];
  /** The port whose active row it has to see. */
  port?: Space & { port: number };
  claim?: IdempotencyClaim | null;
}

function needsOf(command: ProjectCommand): Needs {
  switch (command.kind) {
    case 'get-or-allocate':
      return { keys: [command.key], takes: [{ ...command.key, port: null }] };
    case 'allocate':
      return { takes: [{ ...command.key, port: command.port }], claim: command.idempotency };
    case 'release-key':
    case 'update-key':
      return { keys: [command.key] };
    case 'release':
    case 'update':
      return { ids: [command.id] };
    case 'allocate-environment': {
      const keys = command.services.map(({ key }) => key);
      return { keys, takes: keys.map((key) => ({ ...key, port: null })) };
    }
    case 'release-environment':
      return { environment: command };
    case 'reserve':
      return { takes: [command], claim: command.idempotency };
    case 'claim':
      return { reservationId: command.reservationId, claim: command.idempotency };
    case 'cancel':
    case 'renew':
      return { reservationId: command.reservationId };
    case 'adopt':
      return {
        environment: { ...command, environment: command.environment ?? 'default' },
        takes: [command],
        port: command,
      };
  }
}

/** Sees all that the commands need, in one round trip; a second one only where free ports run short. */
export async function look(
  trx: Transaction<Tables>,
  project: string,
  ranges: LockedRange[],
  commands: readonly ProjectCommand[],
): Promise<Snapshot> {
  const needs = commands.map(needsOf);
  const gather = <T>(pick: (need: Needs) => T[] | T | null | undefined) => needs.flatMap((need) => pick(need) ?? []);
  const reservationIds = gather((need) => need.reservationId);
  const reservations = reservationIds.length > 0 ? await findReservations(trx, project, reservationIds) : [];
  const takes = gather((need) => need.takes);
  const claims = gather((need) => need.claim);
  const wanted: RowsWanted = {
    keys: gather((need) => need.keys),
    ids: [...gather((need) => need.ids), ...reservations.flatMap((row) => row.allocation_id ?? [])],
    environments: gather((need) => need.environment),
    ports: gather((need) => need.port),
  };
  const asked = spacesOf([...wanted.keys, ...takes, ...reservations]).map((space) => {
    return askOf(space, ranges, takes, reservations);
  });
  const { now, rows, free, cooling, holders, reserved } = await seeTogether(trx, {
    rows: rowsOf(project, wanted),
    free: freePortsOf(project, asked),
    cooling: coolingPortsOf(
      project,
      asked.filter(({ cools }) => cools),
    ),
    holders: holdersOf(asked.filter(({ ports }) => ports.length > 0)),
    reserved: reservedOf(
      project,
      asked.filter(({ reserves }) => reserves),
    ),
  });
  const short = asked.filter((ask) => !ask.reserves && ask.lowest > 0 && of(ask, free).length < ask.lowest);
  const foundShort =
    short.length > 0 ? (await seeTogether(trx, { reserved: reservedOf(project, short) })).reserved : [];
  const allocations = [...new Map(rows.map((row) => [row.id, row])).values()];
  return {
    project,
    now,
    ranges,
    allocations,
    reservations,
    answers: claims.length > 0 ? await findAnswers(trx, project, claims) : [],
    spaces: spacesOf([...asked, ...allocations]).map((space) => ({
      ...space,
      free: of(space, free).map(({ port }) => port),
      cooling: of(space, cooling),
      holders: of(space, holders).map(({ port, ...holder }) => ({ port, holder: holderOf(holder) })),
      reserved: of(space, [...reserved, ...foundShort]).map(({ port, expires_at, ...holder }) => {
        return { port, expires_at, holder: holderOf(holder) };
      }),
    })),
  };
}

function askOf(
  { host, protocol }: Space,
  ranges: LockedRange[],
  allTakes: (Space & { port: number | null })[],
  allReservations: ReservationRow[],
): Ask {
  const isHere = (place: Space) => place.host === host && place.protocol === protocol;
  const takes = allTakes.filter(isHere);
  const reservations = allReservations.filter(isHere);
  const changes = takes.length > 0 || reservations.length > 0;
  const cools = changes && ranges.some((range) => range.reuse_cooldown_seconds > 0);
  return {
    host,
    protocol,
    // Those that name their port take from the lowest ones too, but alone they never ask which these are.
    lowest: takes.some(({ port }) => port === null) ? takes.length : 0,
    ports: [...new Set([...takes, ...reservations].flatMap(({ port }) => port ?? []))],
    cools,
    reserves: cools || reservations.length > 0,
  };
}

type InSpace<T> = Space & T;
interface Seen {
  rows: AllocationRow;
  free: InSpace<{ port: number }>;
  cooling: InSpace<CoolingPort>;
  holders: InSpace<Holder & { port: number }>;
  reserved: InSpace<Holder & { port: number; expires_at: Date }>;
}

/** Runs several queries as one statement: one round trip, one snapshot, and the clock. Null asks for nothing. */
async function seeTogether<Name extends keyof Seen>(
  trx: Transaction<Tables>,
  parts: Record<Name, RawBuilder<unknown> | null>,
): Promise<{ now: Date } & { [N in Name]: Seen[N][] }> {
  const columns = Object.entries<RawBuilder<unknown> | null>(parts).flatMap(([name, part]) =>
    part ? [sql`(select jsonb_agg(seen) from (${part}) seen) as ${sql.ref(name)}`] : [],
  );
  const { rows } = await sql<{ now: Date } & Record<string, object[] | null>>`
    /* prepared */ select ${sql.join([sql`clock_timestamp()::timestamptz(3) as now`, ...columns])}`.execute(trx);
  const [seen] = rows as [(typeof rows)[0]];
  const lists = Object.keys(parts).map((name) => [name, (seen[name] ?? []).map(withDates)]);
  return { now: seen.now, ...Object.fromEntries(lists) };
}

/** JSON has no times: what ends in `_at` is one. */
function withDates(row: object): object {
  const times = Object.entries(row).filter(([name, value]) => name.endsWith('_at') && value !== null);
  return Object.assign(row, Object.fromEntries(times.map(([name, value]) => [name, new Date(value)])));
}

function of<T extends Space>({ host, protocol }: Space, found: T[]): T[] {
  return found.filter((one) => one.host === host && one.protocol === protocol);
}

function holderOf({ kind, id, project, service, environment }: Holder): Holder {
  return { kind, id, project, service, environment };
}

function findReservations(trx: Transaction<Tables>, project: string, ids: string[]): Promise<ReservationRow[]> {
  return trx
    .selectFrom('port_reservations')
    .selectAll()
    .where('id', '=', sql<string>`any(${ids}::uuid[])`)
    .where('project', '=', project)
    .execute();
}

function spacesOf(places: Space[]): Space[] {
  return [...new Map(places.map(({ host, protocol }) => [`${protocol} ${host}`, { host, protocol }])).values()];
}
