import { type RawBuilder, sql } from 'kysely';
import type { RefusedKind } from '../../config/project-limits.js';
import { textArray } from '../../database/statements.js';
import { countAnswers } from '../../repositories/idempotency-keys.js';
import type { Needs } from '../command.js';
import type { Allowances } from './allowances.js';
import { type RoomFacts, UNCOUNTED_ENVIRONMENT, UNCOUNTED_HOST } from './room.js';

/** What look.ts reads of the limits: a row for each kind that had to be counted. */
export interface UsageRow {
  kind: RefusedKind;
  /** How many the project has. Counting stops at one more than the limit. */
  held: number;
  /** Of the hosts or environments that commands name, those that would be new. */
  names: string[] | null;
}

/**
 * Plans what has to be counted so that the commands keep to the limits of their project. For the usual transaction that
 * is nothing: `localhost` and the environment `default` do not count, and rows are counted now and then
 * (allowances.ts). Hosts and environments are counted only if one of those that commands name is new.
 * @returns the query, null if nothing has to be counted; and what makes facts of its rows
 */
export function planUsage(
  project: string,
  needs: readonly Needs[],
  allowances: Allowances,
): { query: RawBuilder<unknown> | null; toRoom(usage: readonly UsageRow[]): RoomFacts } {
  const { limits } = allowances;
  const hosts = needs.flatMap(({ takes = [] }) => takes.map(({ host }) => host));
  const environments = needs.flatMap((need) => need.environments ?? []);
  const wanted = {
    reservations: needs.filter(({ reserves }) => reserves).length,
    idempotencyKeys: needs.filter(({ idempotency }) => idempotency).length,
  };
  const allowed = {
    reservations: allowances.take('reservations', project, wanted.reservations),
    idempotencyKeys: allowances.take('idempotencyKeys', project, wanted.idempotencyKeys),
  };
  const parts = [
    ...newHosts(project, distinct(hosts, UNCOUNTED_HOST), limits.hosts),
    ...newEnvironments(project, distinct(environments, UNCOUNTED_ENVIRONMENT), limits.environments),
    ...(allowed.reservations === null ? [counted('reservations', reservationsOf(project, limits.reservations))] : []),
    ...(allowed.idempotencyKeys === null
      ? [counted('idempotencyKeys', countAnswers(project, limits.idempotencyKeys))]
      : []),
  ];
  return {
    query: parts.length === 0 ? null : sql.join(parts, sql` union all `),
    toRoom(usage) {
      const of = (kind: RefusedKind) => usage.find((row) => row.kind === kind);
      const left = (kind: 'reservations' | 'idempotencyKeys') =>
        allowed[kind] ?? allowances.counted(kind, project, of(kind)?.held ?? 0, wanted[kind]);
      return {
        limits,
        newHosts: of('hosts')?.names ?? [],
        newEnvironments: of('environments')?.names ?? [],
        left: {
          hosts: limits.hosts - (of('hosts')?.held ?? 0),
          environments: limits.environments - (of('environments')?.held ?? 0),
          reservations: left('reservations'),
          idempotencyKeys: left('idempotencyKeys'),
        },
      };
    },
  };
}

const distinct = (names: string[], uncounted: string) => [...new Set(names)].filter((name) => name !== uncounted);

const counted = (kind: RefusedKind, held: RawBuilder<unknown>) =>
  sql`select ${sql.lit(kind)} as kind, null::json as names, (${held}) as held`;

/**
 * @param isHeld whether the project has `name`
 * @param held counts what the project has. PostgreSQL computes it only for a row, and so only if a name is new.
 */
const newOnes = (kind: RefusedKind, names: string[], isHeld: RawBuilder<unknown>, held: RawBuilder<unknown>) => sql`
  select ${sql.lit(kind)} as kind, new.names, (${held}) as held
  from (select json_agg(name) as names from unnest(${textArray(names)}) name where ${isHeld} is null) new
  where new.names is not null`;

function newHosts(project: string, names: string[], limit: number): RawBuilder<unknown>[] {
  if (names.length === 0 || limit === Number.POSITIVE_INFINITY) return [];
  const allocated = sql`
    from port_allocations a where a.project = ${project} and a.released_at is null and a.host <> 'localhost'`;
  const reserved = sql`from port_reservations v where v.project = ${project} and v.status = 'active'`;
  const isHeld = sql`coalesce(${one(allocated, sql`a.host`)}, ${one(reserved, sql`v.host`)})`;
  const held = sql`
    select count(*)::integer from (
      (select value from ${each(allocated, sql`a.host`)} limit ${limit + 1})
      union (select value from ${each(reserved, sql`v.host`)} where value <> 'localhost' limit ${limit + 1})) hosts`;
  return [newOnes('hosts', names, isHeld, held)];
}

function newEnvironments(project: string, names: string[], limit: number): RawBuilder<unknown>[] {
  if (names.length === 0 || limit === Number.POSITIVE_INFINITY) return [];
  // Those in `default` are read too and left out afterwards. To leave them out here would mean to read past all of its
  // ports, which may be most of the project's.
  const allocated = sql`from port_allocations a where a.project = ${project} and a.released_at is null`;
  const held = sql`
    select count(*)::integer from (
      select from ${each(allocated, sql`a.environment`)} where value <> 'default' limit ${limit + 1}) environments`;
  return [newOnes('environments', names, one(allocated, sql`a.environment`), held)];
}

/**
 * Whether one of the rows has `name` in the column: true or null. `exists` would say the same, but without statistics
 * PostgreSQL then reads all rows of the project, to compare each name with what it has read.
 */
const one = (rows: RawBuilder<unknown>, column: RawBuilder<unknown>) =>
  sql`(select true ${rows} and ${column} = name limit 1)`;

/**
 * Each value that the rows have in the column, as the table `walked (value)`. It goes from one value to the next in the
 * index, so that it reads an entry for each host and not one for each port: 1000 hosts may hold a million ports.
 */
function each(rows: RawBuilder<unknown>, column: RawBuilder<unknown>): RawBuilder<unknown> {
  const next = (isAfter: RawBuilder<unknown>) =>
    sql`(select ${column}::text ${rows} ${isAfter} order by ${column} limit 1)`;
  return sql`(
    with recursive walked (value) as (
      ${next(sql``)} union all select ${next(sql`and ${column} > walked.value`)} from walked where walked.value is not null)
    select value from walked where value is not null) walked`;
}

const reservationsOf = (project: string, limit: number) => sql`
  select count(*)::integer from (
    select from port_reservations where project = ${project} limit ${limit + 1}) reservations`;
