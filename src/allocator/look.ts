import { type CompiledQuery, type RawBuilder, sql, type Transaction } from 'kysely';
import { compilePrepared, sendTogether } from '../database/statements.js';
import type { AllocationRow, ReservationRow, Tables } from '../database/tables.js';
import type { Holder } from '../errors.js';
import type { Space } from '../keys.js';
import { allocationsWanted } from '../repositories/allocations.js';
import { answersOf } from '../repositories/idempotency-keys.js';
import type { Needs } from './command.js';
import { needsOf, type ProjectCommand } from './decide.js';
import { hostnamesOfOthers, lockAndRead } from './hostnames.js';
import type { CoolingPort, RangeBounds } from './port-space.js';
import type { ProjectFacts } from './project-state.js';

/**
 * Locks the project's ranges, and the hostnames that the commands set, and reads all that the commands need, in one round trip. A second round trip is needed in
 * two cases: a command refers to a reservation, whose row says which port space to read; or a port space has too few
 * free ports, and the refusal has to say when the next one comes free.
 */
export async function lockAndLook(
  trx: Transaction<Tables>,
  project: string,
  lock: CompiledQuery<RangeBounds>,
  commands: readonly ProjectCommand[],
): Promise<ProjectFacts> {
  const needs = commands.map(needsOf);
  const hostnames = needs.flatMap((need) => need.hostnames ?? []);
  const reservationIds = needs.flatMap(({ reservationId }) => reservationId ?? []);
  if (reservationIds.length > 0) {
    const reading = reservationsById(project, reservationIds).compile(trx);
    const [ranges, reservations] = await lockAndRead<ReservationRow>(trx, lock, hostnames, reading);
    return look(trx, project, ranges, commands, reservations);
  }
  const plan = planOf(project, needs, []);
  const [ranges, read] = await lockAndRead<ReadRow>(trx, lock, hostnames, readTogether(trx, plan.parts));
  return toFacts(trx, { project, ranges, reservations: [] }, plan.spaces, toRead(read));
}

/** The same for a caller that has locked all of the project's `ranges`. */
export async function look(
  trx: Transaction<Tables>,
  project: string,
  ranges: RangeBounds[],
  commands: readonly ProjectCommand[],
  reservations: ReservationRow[] = [],
): Promise<ProjectFacts> {
  const plan = planOf(project, commands.map(needsOf), reservations);
  const [read] = await sendTogether<[ReadRow]>(trx, [readTogether(trx, plan.parts)]);
  return toFacts(trx, { project, ranges, reservations }, plan.spaces, toRead(read));
}

/** What the commands need together, as the queries that read it. */
function planOf(
  project: string,
  needs: Needs[],
  reservations: ReservationRow[],
): { spaces: SpaceNeeds[]; parts: Parts } {
  const all = <T>(pick: (need: Needs) => T[] | T | null | undefined) => needs.flatMap((need) => pick(need) ?? []);
  const keys = all((need) => need.keys);
  const takes = all((need) => need.takes);
  const hostnames = all((need) => need.hostnames);
  const idempotencyKeys = all((need) => need.idempotency);
  const spaces = distinctSpaces([...keys, ...takes, ...reservations]).map((space) =>
    needsOfSpace(space, takes, reservations),
  );
  const changing = spaces.filter(({ mayTake }) => mayTake);
  return {
    spaces,
    parts: {
      allocations: allocationsWanted(project, {
        keys,
        ids: [...all((need) => need.ids), ...reservations.flatMap((row) => row.allocation_id ?? [])],
        environments: all((need) => need.environment),
        ports: all((need) => need.port),
      }),
      free: freePortsOf(project, spaces),
      cooling: coolingPortsOf(project, changing),
      holders: holdersOf(spaces),
      reserved: reservedPortsOf(project, changing),
      hostnamesOfOthers: hostnames.length > 0 ? hostnamesOfOthers(project, hostnames) : null,
      answers: idempotencyKeys.length > 0 ? answersOf(project, idempotencyKeys) : null,
    },
  };
}

function needsOfSpace(
  { host, protocol }: Space,
  allTakes: (Space & { port: number | null })[],
  allReservations: ReservationRow[],
): SpaceNeeds {
  const isHere = (other: Space) => other.host === host && other.protocol === protocol;
  const takes = allTakes.filter(isHere);
  const reservations = allReservations.filter(isHere);
  return {
    host,
    protocol,
    // One for each command: a command that names its port may take one of the lowest ports away from the others. Where
    // every command names its port, none of them needs the lowest ones.
    lowest: takes.some(({ port }) => port === null) ? takes.length : 0,
    ports: [...new Set([...takes, ...reservations].flatMap(({ port }) => port ?? []))],
    mayTake: takes.length > 0 || reservations.length > 0,
    allReservations: reservations.length > 0,
  };
}

async function toFacts(
  trx: Transaction<Tables>,
  known: Pick<ProjectFacts, 'project' | 'ranges' | 'reservations'>,
  spaces: SpaceNeeds[],
  { now, allocations, free, cooling, holders, reserved, hostnamesOfOthers, answers }: Read,
): Promise<ProjectFacts> {
  const short = spaces.filter(
    ({ allReservations, lowest, ...space }) => !allReservations && inSpace(space, free).length < lowest,
  );
  const reservedWhereShort = short.length > 0 ? await readReserved(trx, known.project, short) : [];
  const rows = [...new Map(allocations.map((row) => [row.id, row])).values()];
  return {
    ...known,
    now,
    allocations: rows,
    answers,
    hostnamesOfOthers: hostnamesOfOthers.map(({ hostname }) => hostname),
    spaces: distinctSpaces([...spaces, ...rows]).map((space) => ({
      ...space,
      free: inSpace(space, free).map(({ port }) => port),
      cooling: inSpace(space, cooling),
      holders: inSpace(space, holders).map(({ port, ...holder }) => ({ port, holder: toHolder(holder) })),
      reserved: inSpace(space, [...reserved, ...reservedWhereShort]).map(({ port, expires_at, ...holder }) => {
        return { port, expires_at, holder: toHolder(holder) };
      }),
    })),
  };
}

/** Every active reservation of these port spaces, from which follows when the next port comes free. */
async function readReserved(
  trx: Transaction<Tables>,
  project: string,
  spaces: SpaceNeeds[],
): Promise<Read['reserved']> {
  const reserved = reservedPortsOf(
    project,
    spaces.map((space) => ({ ...space, allReservations: true })),
  );
  const [read] = await sendTogether<[ReadRow]>(trx, [readTogether(trx, { reserved })]);
  return toRead(read).reserved;
}

/** What one look reads, part by part. */
interface ReadParts {
  allocations: AllocationRow[];
  free: (Space & { port: number })[];
  cooling: (Space & CoolingPort)[];
  holders: (Space & Holder & { port: number })[];
  reserved: (Space & Holder & { port: number; expires_at: Date })[];
  hostnamesOfOthers: { hostname: string }[];
  answers: ProjectFacts['answers'];
}
type Read = ReadParts & { now: Date };
/** A query for each part; null where nothing of it is needed. */
type Parts = Record<keyof ReadParts, RawBuilder<unknown> | null>;
type ReadRow = { now: Date } & { [Part in keyof ReadParts]?: object[] | null };

/**
 * All parts as one statement, so that they are of one moment, and the database's clock. The clock is the last column,
 * and PostgreSQL computes columns in their order. So `now` is later than each part: a reservation that a part left out
 * because it had expired has also expired by `now`.
 */
function readTogether(trx: Transaction<Tables>, parts: Partial<Parts>): CompiledQuery<ReadRow> {
  const columns = Object.entries(parts).flatMap(([name, part]) =>
    part ? [sql`(select json_agg(part) from (${part}) part) as ${sql.ref(name)}`] : [],
  );
  const statement = sql<ReadRow>`
    select ${sql.join([...columns, sql`clock_timestamp()::timestamptz(3) as now`])}`;
  return compilePrepared(statement, trx);
}

function toRead([row]: ReadRow[]): Read {
  const { now, ...lists } = row as ReadRow;
  const read = Object.entries(lists).map(([name, list]) => [name, (list ?? []).map(withTimes)]);
  const nothing = {
    allocations: [],
    free: [],
    cooling: [],
    holders: [],
    reserved: [],
    hostnamesOfOthers: [],
    answers: [],
  };
  return { ...nothing, now, ...Object.fromEntries(read) };
}

/** JSON has no type for times, so they arrive as text. Every column whose name ends in `_at` holds one. */
function withTimes(row: object): object {
  const times = Object.entries(row).filter(([name, value]) => name.endsWith('_at') && value !== null);
  return Object.assign(row, Object.fromEntries(times.map(([name, value]) => [name, new Date(value)])));
}

function inSpace<T extends Space>({ host, protocol }: Space, rows: T[]): T[] {
  return rows.filter((row) => row.host === host && row.protocol === protocol);
}

function toHolder({ kind, id, project, service, environment }: Holder): Holder {
  return { kind, id, project, service, environment };
}

function distinctSpaces(spaces: Space[]): Space[] {
  return [...new Map(spaces.map(({ host, protocol }) => [`${protocol} ${host}`, { host, protocol }])).values()];
}

// The queries for the parts. Null asks for nothing.

/** What has to be read of one port space. */
interface SpaceNeeds extends Space {
  /** How many of the lowest free ports. */
  lowest: number;
  /** The ports whose holders are needed. */
  ports: number[];
  /** Whether a command may take a port here, so that the ports that cool down are needed. */
  mayTake: boolean;
  /** Whether every active reservation is needed, or only those in ranges that have a cooldown. */
  allReservations: boolean;
}

function freePortsOf(project: string, needs: SpaceNeeds[]): RawBuilder<unknown> | null {
  return ofSpaces(
    needs.filter(({ lowest }) => lowest > 0),
    (spaces) => sql`
      select port, k.host, k.protocol
      from ${spaces} cross join lateral free_ports(${project}, k.host, k.protocol, k.lowest) port`,
  );
}

function coolingPortsOf(project: string, needs: SpaceNeeds[]): RawBuilder<unknown> | null {
  return ofSpaces(
    needs,
    (spaces) => sql`
      select c.*, k.host, k.protocol
      from ${spaces} cross join port_ranges r cross join lateral cooling_ports(r.start_port, k.host, k.protocol) c
      where r.project = ${project} and r.reuse_cooldown_seconds > 0`,
  );
}

/** Who holds or has reserved the ports, of whichever project: only the decision checks in whose range a port lies. */
function holdersOf(needs: SpaceNeeds[]): RawBuilder<unknown> | null {
  return ofSpaces(
    needs.filter(({ ports }) => ports.length > 0),
    (spaces) => sql`
      select v.port, v.host, v.protocol, 'reservation' as kind, v.id, v.project, v.service, null as environment
      from ${spaces} cross join lateral unnest(k.ports) asked (port)
      cross join lateral (
        select * from port_reservations v
        where v.host = k.host and v.protocol = k.protocol and v.port = asked.port and v.status = 'active'
          and v.expires_at > clock_timestamp() limit 1) v
      union all
      select a.port, a.host, a.protocol, 'allocation' as kind, a.id, a.project, a.service, a.environment
      from ${spaces} cross join lateral unnest(k.ports) asked (port)
      cross join lateral (
        select * from port_allocations a
        where a.host = k.host and a.protocol = k.protocol and a.port = asked.port and a.released_at is null limit 1) a`,
  );
}

function reservedPortsOf(project: string, needs: SpaceNeeds[]): RawBuilder<unknown> | null {
  return ofSpaces(
    needs,
    (spaces) => sql`
      select v.port, v.host, v.protocol, v.expires_at, 'reservation' as kind, v.id, v.project, v.service,
             null as environment
      from ${spaces} cross join port_ranges r
      join port_reservations v on v.host = k.host and v.protocol = k.protocol
        and v.port between r.start_port and r.end_port and v.status = 'active' and v.expires_at > clock_timestamp()
      where r.project = ${project} and (k."allReservations" or r.reuse_cooldown_seconds > 0)`,
  );
}

function reservationsById(project: string, ids: string[]): RawBuilder<ReservationRow> {
  return sql`select * from port_reservations where id = any(${ids}::uuid[]) and project = ${project}`;
}

/** @param query gets the port spaces as the table `k`: one JSON parameter, however many there are */
function ofSpaces(
  needs: SpaceNeeds[],
  query: (spaces: RawBuilder<unknown>) => RawBuilder<unknown>,
): RawBuilder<unknown> | null {
  if (needs.length === 0) return null;
  return query(sql`jsonb_to_recordset(${JSON.stringify(needs)}::jsonb)
    as k (host text, protocol text, lowest integer, ports integer[], "allReservations" boolean)`);
}
