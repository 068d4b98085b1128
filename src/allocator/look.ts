import { type CompiledQuery, type RawBuilder, sql, type Transaction } from 'kysely';
import { compilePrepared, sendTogether } from '../database/statements.js';
import type { AllocationRow, ReservationRow, Tables } from '../database/tables.js';
import type { Holder } from '../errors.js';
import { distinctSpaces, isSameSpace, type Space } from '../keys.js';
import { allocationsWanted, leaveOutMetadata } from '../repositories/allocations.js';
import { answersOf } from '../repositories/idempotency-keys.js';
import type { Needs } from './command.js';
import { needsOf, type ProjectCommand } from './decide.js';
import { environmentsOf } from './environments.js';
import { hostnamesOfOthers, lockAndRead } from './hostnames.js';
import type { Allowances } from './limits/allowances.js';
import type { RoomFacts } from './limits/room.js';
import { planUsage, type UsageRow } from './limits/usage.js';
import {
  coolingPortsOf,
  excludedPortsOf,
  freePortsOf,
  holdersOf,
  needsOfSpaces,
  reservationsById,
  reservedPortsOf,
  type SpaceNeeds,
} from './look-queries.js';
import type { CoolingPort, RangeBounds } from './port-space.js';
import type { ProjectFacts } from './project-state.js';
import type { Trials } from './trials.js';

/** What bounds the commands, besides what the database holds. */
export interface Bounds {
  allowances: Allowances;
  trials: Trials;
}

/**
 * Locks the project's ranges and the hostnames that the commands set, and reads all that the commands need, in one round
 * trip. A second round trip is needed in two cases: a command refers to a reservation, whose row says which port space
 * to read; or a port space has too few free ports, and the refusal has to say when the next one comes free.
 */
export async function lockAndLook(
  trx: Transaction<Tables>,
  project: string,
  lock: CompiledQuery<RangeBounds>,
  commands: readonly ProjectCommand[],
  bounds: Bounds,
): Promise<ProjectFacts> {
  const needs = commands.map(needsOf);
  const hostnames = needs.flatMap((need) => need.hostnames ?? []);
  const reservationIds = needs.flatMap(({ reservationId }) => reservationId ?? []);
  if (reservationIds.length > 0) {
    const reading = reservationsById(project, reservationIds).compile(trx);
    const [ranges, reservations] = await lockAndRead<ReservationRow>(trx, lock, hostnames, reading);
    return look(trx, project, ranges, commands, bounds, reservations);
  }
  const plan = planOf(project, needs, [], bounds);
  const [ranges, read] = await lockAndRead<ReadRow>(trx, lock, hostnames, readTogether(trx, plan.parts));
  return toFacts(trx, { project, ranges, reservations: [] }, plan, toRead(read));
}

/** The same for a caller that has locked all of the project's `ranges`. */
export async function look(
  trx: Transaction<Tables>,
  project: string,
  ranges: RangeBounds[],
  commands: readonly ProjectCommand[],
  bounds: Bounds,
  reservations: ReservationRow[] = [],
): Promise<ProjectFacts> {
  const plan = planOf(project, commands.map(needsOf), reservations, bounds);
  const [read] = await sendTogether<[ReadRow]>(trx, [readTogether(trx, plan.parts)]);
  return toFacts(trx, { project, ranges, reservations }, plan, toRead(read));
}

/** What the commands need together, as the queries that read it. */
interface Plan {
  spaces: SpaceNeeds[];
  trials: Trials;
  parts: Parts;
  toRoom(usage: UsageRow[]): RoomFacts;
}

function planOf(project: string, needs: Needs[], reservations: ReservationRow[], { allowances, trials }: Bounds): Plan {
  const all = <T>(pick: (need: Needs) => T[] | T | null | undefined) => needs.flatMap((need) => pick(need) ?? []);
  const keys = all((need) => need.keys);
  const takes = all((need) => need.takes);
  const hostnames = all((need) => need.hostnames);
  const releasing = needs.filter(({ releases }) => releases);
  const idempotencyKeys = all((need) => need.idempotency);
  const spaces = needsOfSpaces(keys, takes, reservations, trials.countToRead);
  const usage = planUsage(project, needs, allowances);
  const changing = spaces.filter(({ mayTake }) => mayTake);
  const wanted = allocationsWanted(project, {
    keys,
    ids: [...all((need) => need.ids), ...reservations.flatMap((row) => row.allocation_id ?? [])],
    environments: all((need) => need.environment),
    ports: all((need) => need.port),
  });
  return {
    spaces,
    trials,
    toRoom: usage.toRoom,
    parts: {
      allocations: wanted && needs.every(({ metadata }) => metadata === false) ? leaveOutMetadata(wanted) : wanted,
      free: freePortsOf(project, spaces),
      excluded: spaces.length > 0 || wanted ? excludedPortsOf(project) : null,
      cooling: coolingPortsOf(project, changing),
      environments: environmentsOf(project, {
        put: all((need) => need.put),
        named: releasing.flatMap(({ keys = [], environment: one }) => [...keys, ...(one ? [one] : [])]).map(nameOf),
        ids: releasing.flatMap((need) => need.ids ?? []),
      }),
      holders: holdersOf(spaces),
      reserved: reservedPortsOf(project, changing),
      hostnamesOfOthers: hostnames.length > 0 ? hostnamesOfOthers(project, hostnames) : null,
      answers: idempotencyKeys.length > 0 ? answersOf(project, idempotencyKeys) : null,
      usage: usage.query,
    },
  };
}

async function toFacts(
  trx: Transaction<Tables>,
  known: Pick<ProjectFacts, 'project' | 'ranges' | 'reservations'>,
  { spaces, trials, toRoom }: Plan,
  {
    now,
    allocations,
    environments,
    free,
    excluded,
    cooling,
    holders,
    reserved,
    hostnamesOfOthers,
    answers,
    usage,
  }: Read,
): Promise<ProjectFacts> {
  const short = spaces.filter(({ allReservations, wanted, ...space }) => {
    const usable = inSpace(space, free).filter(({ port }) => !trials.of(space)?.unusable.has(port));
    return !allReservations && usable.length < wanted;
  });
  const reservedWhereShort = short.length > 0 ? await readReserved(trx, known.project, short) : [];
  const rows = [...new Map(allocations.map((row) => [row.id, row])).values()];
  return {
    ...known,
    now,
    allocations: rows,
    environments,
    answers,
    excluded: excluded.map(({ port }) => port),
    hostnamesOfOthers: hostnamesOfOthers.map(({ hostname }) => hostname),
    room: toRoom(usage),
    spaces: distinctSpaces([...spaces, ...rows]).map((space) => ({
      ...space,
      free: inSpace(space, free).map(({ port }) => port),
      isFreeRead: spaces.some((read) => read.lowest > 0 && inSpace(space, [read]).length > 0),
      tried: trials.of(space),
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
  environments: ProjectFacts['environments'];
  free: (Space & { port: number })[];
  excluded: { port: number }[];
  cooling: (Space & CoolingPort)[];
  holders: (Space & Holder & { port: number })[];
  reserved: (Space & Holder & { port: number; expires_at: Date })[];
  hostnamesOfOthers: { hostname: string }[];
  answers: ProjectFacts['answers'];
  usage: UsageRow[];
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
  const nothing: ReadParts = {
    allocations: [],
    environments: [],
    free: [],
    excluded: [],
    cooling: [],
    holders: [],
    reserved: [],
    hostnamesOfOthers: [],
    answers: [],
    usage: [],
  };
  return { ...nothing, now, ...Object.fromEntries(read) };
}

/** JSON has no type for times, so they arrive as text. Every column whose name ends in `_at` holds one. */
function withTimes(row: object): object {
  const times = Object.entries(row).filter(([name, value]) => name.endsWith('_at') && value !== null);
  return Object.assign(row, Object.fromEntries(times.map(([name, value]) => [name, new Date(value)])));
}

function inSpace<T extends Space>(space: Space, rows: T[]): T[] {
  return rows.filter((row) => isSameSpace(space, row));
}

const nameOf = ({ environment }: { environment: string }): string => environment;

function toHolder({ kind, id, project, service, environment }: Holder): Holder {
  return { kind, id, project, service, environment };
}
