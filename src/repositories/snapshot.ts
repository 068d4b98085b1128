import { type CompiledQuery, type RawBuilder, sql, type Transaction } from 'kysely';
import { sendTogether } from '../database/pipeline.js';
import { compilePrepared } from '../database/prepared-statements.js';
import type { AllocationRow, Json, ReservationRow, Tables } from '../database/tables.js';
import type { Holder } from '../errors.js';
import type { AllocationKey, IdempotencyClaim, ProjectCommand, Space } from './commands.js';
import { answersOf } from './idempotency.js';
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

/**
 * Locks the project's ranges and sees all that the commands need, in one flight: the look is a statement of its
 * own behind the lock, which takes its snapshot when the lock has been granted. Only what depends on a reservation
 * takes a second one, and so does a space whose free ports run short.
 */
export async function lockAndLook(
  trx: Transaction<Tables>,
  project: string,
  lock: CompiledQuery<LockedRange>,
  commands: readonly ProjectCommand[],
): Promise<Snapshot> {
  const needs = commands.map(needsOf);
  const reservationIds = needs.flatMap(({ reservationId }) => reservationId ?? []);
  if (reservationIds.length > 0) {
    const reading = reservationsById(trx, project, reservationIds);
    const [ranges, reservations] = await sendTogether<[LockedRange, ReservationRow]>(trx, [lock, reading]);
    return look(trx, project, ranges, commands, reservations);
  }
  const view = viewOf(project, needs, []);
  const [ranges, seen] = await sendTogether<[LockedRange, SeenRow]>(trx, [lock, seeTogether(trx, view.parts)]);
  return toSnapshot(trx, project, ranges, [], view.asked, readSeen(seen));
}

/** The same by whoever holds the locks of `ranges`. */
export async function look(
  trx: Transaction<Tables>,
  project: string,
  ranges: LockedRange[],
  commands: readonly ProjectCommand[],
  reservations: ReservationRow[] = [],
): Promise<Snapshot> {
  const view = viewOf(project, commands.map(needsOf), reservations);
  const [seen] = await sendTogether<[SeenRow]>(trx, [seeTogether(trx, view.parts)]);
  return toSnapshot(trx, project, ranges, reservations, view.asked, readSeen(seen));
}

/** What to look at, as queries that run as one statement. */
function viewOf(project: string, needs: Needs[], reservations: ReservationRow[]): { asked: Ask[]; parts: Parts } {
  const gather = <T>(pick: (need: Needs) => T[] | T | null | undefined) => needs.flatMap((need) => pick(need) ?? []);
  const takes = gather((need) => need.takes);
  const claims = gather((need) => need.claim);
  const wanted: RowsWanted = {
    keys: gather((need) => need.keys),
    ids: [...gather((need) => need.ids), ...reservations.flatMap((row) => row.allocation_id ?? [])],
    environments: gather((need) => need.environment),
    ports: gather((need) => need.port),
  };
  const asked = spacesOf([...wanted.keys, ...takes, ...reservations]).map((space) => askOf(space, takes, reservations));
  const changing = asked.filter(({ changes }) => changes);
  return {
    asked,
    parts: {
      rows: rowsOf(project, wanted),
      free: freePortsOf(project, asked),
      cooling: coolingPortsOf(project, changing),
      holders: holdersOf(asked.filter(({ ports }) => ports.length > 0)),
      reserved: reservedOf(project, changing),
      answers: claims.length > 0 ? answersOf(project, claims) : null,
    },
  };
}

function askOf(
  { host, protocol }: Space,
  allTakes: (Space & { port: number | null })[],
  allReservations: ReservationRow[],
): Ask {
  const isHere = (place: Space) => place.host === host && place.protocol === protocol;
  const takes = allTakes.filter(isHere);
  const reservations = allReservations.filter(isHere);
  return {
    host,
    protocol,
    // Those that name their port take from the lowest ones too, but alone they never ask which these are.
    lowest: takes.some(({ port }) => port === null) ? takes.length : 0,
    ports: [...new Set([...takes, ...reservations].flatMap(({ port }) => port ?? []))],
    changes: takes.length > 0 || reservations.length > 0,
    reserves: reservations.length > 0,
  };
}

async function toSnapshot(
  trx: Transaction<Tables>,
  project: string,
  ranges: LockedRange[],
  reservations: ReservationRow[],
  asked: Ask[],
  { now, rows, free, cooling, holders, reserved, answers }: SeenTogether,
): Promise<Snapshot> {
  const short = asked.filter((ask) => !ask.reserves && ask.lowest > 0 && of(ask, free).length < ask.lowest);
  const foundShort = short.length > 0 ? await reservedIn(trx, project, short) : [];
  const allocations = [...new Map(rows.map((row) => [row.id, row])).values()];
  return {
    project,
    now,
    ranges,
    allocations,
    reservations,
    answers,
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

type InSpace<T> = Space & T;
interface Seen {
  rows: AllocationRow[];
  free: InSpace<{ port: number }>[];
  cooling: InSpace<CoolingPort>[];
  holders: InSpace<Holder & { port: number }>[];
  reserved: InSpace<Holder & { port: number; expires_at: Date }>[];
  answers: Snapshot['answers'];
}
/** Null asks for nothing. */
type Parts = Record<keyof Seen, RawBuilder<unknown> | null>;
type SeenRow = { now: Date } & { [Name in keyof Seen]?: object[] | null };
type SeenTogether = { now: Date } & Seen;

/**
 * Several queries as one statement: one snapshot, and the clock. The clock is read last, as columns are computed in their
 * order: a reservation or cooldown that had ended for any of them has ended by then.
 */
function seeTogether(trx: Transaction<Tables>, parts: Partial<Parts>): CompiledQuery<SeenRow> {
  const columns = Object.entries(parts).flatMap(([name, part]) =>
    part ? [sql`(select json_agg(seen) from (${part}) seen) as ${sql.ref(name)}`] : [],
  );
  const statement = sql<SeenRow>`
    select ${sql.join([...columns, sql`clock_timestamp()::timestamptz(3) as now`])}`;
  return compilePrepared(statement, trx);
}

function readSeen([seen]: SeenRow[]): SeenTogether {
  const { now, ...lists } = seen as SeenRow;
  const empty = { rows: [], free: [], cooling: [], holders: [], reserved: [], answers: [] };
  const read = Object.entries(lists).map(([name, list]) => [name, (list ?? []).map(withDates)]);
  return { ...empty, now, ...Object.fromEntries(read) };
}

/** All that is reserved in these spaces, to say when the next port comes free. */
async function reservedIn(trx: Transaction<Tables>, project: string, asked: Ask[]): Promise<Seen['reserved']> {
  const reserved = reservedOf(
    project,
    asked.map((ask) => ({ ...ask, reserves: true })),
  );
  const [seen] = await sendTogether<[SeenRow]>(trx, [seeTogether(trx, { reserved })]);
  return readSeen(seen).reserved;
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

function reservationsById(trx: Transaction<Tables>, project: string, ids: string[]): CompiledQuery<ReservationRow> {
  return trx
    .selectFrom('port_reservations')
    .selectAll()
    .where('id', '=', sql<string>`any(${ids}::uuid[])`)
    .where('project', '=', project)
    .compile();
}

function spacesOf(places: Space[]): Space[] {
  return [...new Map(places.map(({ host, protocol }) => [`${protocol} ${host}`, { host, protocol }])).values()];
}
