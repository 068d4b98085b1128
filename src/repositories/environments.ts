import { type Kysely, sql } from 'kysely';
import type { Access } from '../access/access.js';
import { statementTime } from '../database/clock.js';
import type { Tables } from '../database/tables.js';
import type { Environment } from '../schemas/environment.js';
import { decodeCursor, isName, type Page, type PageRequest, toPage } from './pages.js';
import { requireRange } from './ranges.js';

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
