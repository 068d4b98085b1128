import { sql } from 'kysely';
import type { IsAbandoned } from '../batcher.js';
import type { AllocationRow } from '../database/tables.js';
import * as refusals from '../refusals.js';
import type { Allocation } from '../schemas/allocation.js';
import type { Environment, EnvironmentServices } from '../schemas/environment.js';
import type { Space } from './commands.js';
import { changes } from './holdings.js';
import { decodeCursor, isName, type Page, toPage } from './pages.js';
import { hasRange } from './ranges.js';
import { toAllocation } from './rows.js';
import { rowsOf } from './snapshot-queries.js';
import type { Store } from './store.js';

export interface EnvironmentKey extends Space {
  project: string;
  environment: string;
}

/**
 * Every service's port, in the order given: the one it holds, or else the lowest free one. All of them or
 * none. When all are held already, this takes no lock and no transaction.
 * @throws AppError project-not-found, range-exhausted, validation-failed for a service listed twice
 */
export async function allocateEnvironment(
  store: Store,
  place: EnvironmentKey,
  services: EnvironmentServices['services'],
  isAbandoned?: IsAbandoned,
): Promise<{ items: Allocation[]; created: boolean }> {
  store.access.demandProject(place.project);
  demandDistinct(services.map(({ service }) => service));
  const lowest = new Map((await findRows(store, place)).map((row) => [row.service, row] as const).reverse());
  const held = services.flatMap(({ service, ...details }) => {
    const row = lowest.get(service);
    return row && !changes(row, details) ? [row] : [];
  });
  if (held.length === services.length) return { items: held.map(toAllocation), created: false };
  return store.execute(
    place.project,
    {
      kind: 'allocate-environment',
      services: services.map(({ service, ...details }) => ({ key: { ...place, service }, details })),
    },
    isAbandoned,
  );
}

/**
 * What the environment holds on one host and protocol, by port; empty if nothing.
 * @throws AppError project-not-found
 */
export async function findEnvironment(store: Store, place: EnvironmentKey): Promise<Allocation[]> {
  store.access.demandProject(place.project);
  const rows = await findRows(store, place);
  if (rows.length === 0) await demandRange(store, place.project);
  return rows.map(toAllocation);
}

/**
 * Releases all that the environment holds on one host and protocol; empty if it was nothing.
 * @throws AppError project-not-found
 */
export function releaseEnvironment(
  store: Store,
  place: EnvironmentKey,
  isAbandoned?: IsAbandoned,
): Promise<Allocation[]> {
  const { project, environment, host, protocol } = place;
  return store.execute(project, { kind: 'release-environment', environment, host, protocol }, isAbandoned);
}

/**
 * Those that hold a port, by name.
 * @throws AppError project-not-found
 */
export async function listEnvironments(
  store: Store,
  project: string,
  { limit = 100, cursor }: { limit?: number; cursor?: string },
): Promise<Page<Environment>> {
  store.access.demandProject(project);
  const after = decodeCursor(cursor, isName)?.[0] ?? '';
  // "C" sorts and compares names the same on every machine.
  const { rows } = await sql<EnvironmentRow>`
    select environment collate "C" as environment, sum(ports)::integer as ports, sum(in_use)::integer as in_use,
           min(first_time) as first_time, max(last_time) as last_time, max(used_time) as used_time,
           greatest(0, floor(extract(epoch from clock_timestamp() - min(first_time))))::integer as age,
           jsonb_agg(jsonb_build_object('host', host, 'protocol', protocol, 'allocatedPorts', ports)
                     order by host, protocol) as spaces
    from (
      select environment, host, protocol, count(*) as ports,
             count(*) filter (where status = 'in_use') as in_use, min(allocated_at) as first_time,
             max(allocated_at) as last_time, max(last_used_at) as used_time
      from port_allocations
      where released_at is null and project = ${project} and environment collate "C" > ${after}
      group by environment, host, protocol
    ) space
    group by environment order by environment collate "C" limit ${limit + 1}`.execute(store.db);
  if (rows.length === 0) await demandRange(store, project);
  return toPage(
    rows,
    limit,
    (row) => toEnvironment(project, row),
    (row) => [row.environment],
  );
}

interface EnvironmentRow {
  environment: string;
  ports: number;
  in_use: number;
  first_time: Date;
  last_time: Date;
  used_time: Date | null;
  age: number;
  spaces: Environment['spaces'];
}

function toEnvironment(project: string, row: EnvironmentRow): Environment {
  return {
    project,
    environment: row.environment,
    allocatedPorts: row.ports,
    inUsePorts: row.in_use,
    firstAllocatedAt: row.first_time.toISOString(),
    ageSeconds: row.age,
    lastAllocatedAt: row.last_time.toISOString(),
    lastUsedAt: row.used_time?.toISOString() ?? null,
    spaces: row.spaces,
  };
}

async function findRows({ db }: Store, place: EnvironmentKey): Promise<AllocationRow[]> {
  const held = rowsOf(place.project, { keys: [], ids: [], environments: [place], ports: [] });
  return (await sql<AllocationRow>`select * from (${held}) a order by port`.execute(db)).rows;
}

async function demandRange({ db }: Store, project: string): Promise<void> {
  if (!(await hasRange(db, project))) throw refusals.projectNotFound(project);
}

function demandDistinct(services: string[]): void {
  const twice = services.findIndex((service, place) => services.indexOf(service) < place);
  if (twice >= 0) throw refusals.serviceListedTwice(twice, services[twice] as string);
}
