import { type Kysely, type RawBuilder, sql } from 'kysely';
import type { Access } from '../access/access.js';
import { statementTime } from '../database/clock.js';
import { executePrepared } from '../database/statements.js';
import type { Tables } from '../database/tables.js';
import type { Environment, EnvironmentExpiry, EnvironmentQuery, HeldEnvironment } from '../schemas/environment.js';
import { decodeCursor, isName, type Page, type PageRequest, toPage } from './pages.js';
import { requireRange } from './ranges.js';
import { visibleTo } from './visible.js';

/**
 * The environments of a project that hold a port, by name.
 * @throws AppError project-not-found, forbidden
 */
export async function listEnvironments(
  db: Kysely<Tables>,
  access: Access,
  project: string,
  { limit = 100, cursor, maxBytes }: PageRequest,
): Promise<Page<Environment>> {
  access.requireProject(project);
  const after = decodeCursor(cursor, isName)?.[0] ?? '';
  // "C" sorts and compares names the same on every machine.
  const { rows } = await sql<EnvironmentRow>`
    select environment collate "C" as environment, sum(ports)::integer as ports, sum(in_use)::integer as in_use,
           min(first_time) as first_time, max(last_time) as last_time, max(used_time) as used_time,
           greatest(0, floor(extract(epoch from ${statementTime} - min(first_time))))::integer as age,
           ${recordOf(sql`${project}`, sql`held.environment`)},
           jsonb_agg(jsonb_build_object('host', host, 'protocol', protocol, 'allocatedPorts', ports)
                     order by host, protocol) as spaces
    from (
      select environment, host, protocol, count(*) as ports,
             count(*) filter (where status = 'in_use') as in_use, min(allocated_at) as first_time,
             max(allocated_at) as last_time, max(last_used_at) as used_time
      from port_allocations
      where released_at is null and project = ${project} and environment collate "C" > ${after}
      group by environment, host, protocol
    ) held
    group by environment order by environment collate "C" limit ${limit + 1}`.execute(db);
  if (rows.length === 0) await requireRange(db, access, project);
  return toPage(
    rows,
    { limit, maxBytes },
    (row) => toEnvironment(project, row),
    (row) => [row.environment],
  );
}

interface EnvironmentRow extends ExpiryRow {
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
    path: row.path,
    ...toExpiry(row),
    spaces: row.spaces,
  };
}

/** The folder on record for an environment. The caller has checked that its project is visible. */
export async function findEnvironmentPath(
  db: Kysely<Tables>,
  project: string,
  environment: string,
): Promise<string | null> {
  const found = sql<{ path: string | null }>`select ${pathOf(sql`${project}`, sql`${environment}`)} as path`;
  return (await executePrepared(db, found)).rows[0]?.path ?? null;
}

/** The path on record for an environment that holds a port; null if there is none. */
const pathOf = (project: RawBuilder<unknown>, environment: RawBuilder<unknown>) =>
  sql`(select p.path from environments p where p.project = ${project} and p.environment = ${environment})`;

interface ExpiryRow {
  path: string | null;
  expires_after_seconds: number | null;
  on_expiry: 'tell' | 'release' | null;
  expires_at: Date | null;
}

/** The columns of `ExpiryRow`. Each environment is one step into the primary key. */
const recordOf = (project: RawBuilder<unknown>, environment: RawBuilder<unknown>) => {
  const column = (value: RawBuilder<unknown>) =>
    sql`(select ${value} from environments p where p.project = ${project} and p.environment = ${environment})`;
  return sql`${column(sql`p.path`)} as path, ${column(sql`p.expires_after_seconds`)} as expires_after_seconds,
           ${column(sql`p.on_expiry`)} as on_expiry, ${column(sql`environment_expires_at(p)`)} as expires_at`;
};

function toExpiry(row: ExpiryRow | undefined): EnvironmentExpiry {
  return {
    expiresAfterSeconds: row?.expires_after_seconds ?? null,
    onExpiry: row?.on_expiry ?? null,
    expiresAt: row?.expires_at?.toISOString() ?? null,
  };
}

/**
 * When an environment expires.
 * @throws AppError forbidden
 */
export async function findExpiry(
  db: Kysely<Tables>,
  access: Access,
  project: string,
  environment: string,
): Promise<EnvironmentExpiry> {
  access.requireProject(project);
  const found = sql<ExpiryRow>`select ${recordOf(sql`${project}`, sql`${environment}`)}`;
  return toExpiry((await executePrepared(db, found)).rows[0]);
}

/**
 * The environments of all projects that the caller sees and that hold a port, by project and name. They are found one
 * after another, each by a step into an index, and what each holds is read for it alone. So a page ends when it is
 * full, whatever PostgreSQL knows of the tables: it had read and sorted every port that anybody holds for each page. A
 * sort behind the steps would wait for all of them, therefore the order is theirs.
 */
export async function listAllEnvironments(
  db: Kysely<Tables>,
  access: Access,
  { project, host, path, unusedForSeconds, limit = 100, cursor, maxBytes }: EnvironmentQuery & PageRequest,
): Promise<Page<HeldEnvironment>> {
  const [afterProject, afterEnvironment] = decodeCursor(cursor, isName, isName) ?? ['', ''];
  const start = sql`${afterProject}, ${afterEnvironment}`;
  const ofProject = project === undefined ? sql`true` : sql`project = ${project}`;
  const onHost = host === undefined ? sql`true` : sql`host = ${host}`;
  const unusedSince = sql`${statementTime} - make_interval(secs => ${unusedForSeconds ?? 0})`;
  const next = (after: RawBuilder<unknown>) => sql`
    select project, environment from port_allocations
    where released_at is null and (project, environment) > (${after})
      and ${visibleTo(access)} and ${ofProject} and ${onHost}
    order by project, environment limit 1`;
  // `offset 0` leaves PostgreSQL no index but that of paths.
  const inFolder = sql`
    select project, environment from (select * from environments where path = ${path} offset 0) e
    where (project, environment) > (${start}) and ${visibleTo(access)} and ${ofProject}
    order by project, environment`;
  const { rows } = await sql<HeldRow>`
    with recursive walked (project, environment) as (
      (${next(start)})
      union all
      select n.project, n.environment from walked w cross join lateral (${next(sql`w.project, w.environment`)}) n)
    select e.project, e.environment, ${recordOf(sql`e.project`, sql`e.environment`)}, held.*
    from ${path === undefined ? sql`walked` : sql`(${inFolder})`} e
    cross join lateral (
      select count(*)::integer as ports, count(*) filter (where a.status = 'in_use')::integer as listening,
             min(a.allocated_at) as first_time, max(a.allocated_at) as last_time, max(a.last_used_at) as used_time
      from port_allocations a
      where a.released_at is null and a.project = e.project and a.environment = e.environment and ${onHost}
    ) held
    where held.ports > 0 and ${unusedForSeconds === undefined ? sql`true` : sql`greatest(last_time, used_time) <= ${unusedSince}`}
    limit ${limit + 1}`.execute(db);
  return toPage(rows, { limit, maxBytes }, toHeldEnvironment, (row) => [row.project, row.environment]);
}

interface HeldRow extends ExpiryRow {
  project: string;
  environment: string;
  ports: number;
  listening: number;
  first_time: Date;
  used_time: Date | null;
}

function toHeldEnvironment(row: HeldRow): HeldEnvironment {
  return {
    project: row.project,
    environment: row.environment,
    path: row.path,
    ports: row.ports,
    firstAllocatedAt: row.first_time.toISOString(),
    lastUsedAt: row.used_time?.toISOString() ?? null,
    listening: row.listening,
    ...toExpiry(row),
  };
}
