import { type Kysely, type RawBuilder, sql } from 'kysely';
import type { Access } from '../../access/access.js';
import type { AllocationRow, Tables } from '../../database/tables.js';
import type { ExportQuery } from '../../schemas/export.js';
import { visibleTo } from '../visible.js';

/** What exports say of an active allocation. */
export type ExportedPort = Pick<
  AllocationRow,
  | 'id'
  | 'project'
  | 'environment'
  | 'service'
  | 'host'
  | 'protocol'
  | 'port'
  | 'status'
  | 'service_type'
  | 'cloudflare_hostname'
>;
/** A TCP port and the hostname that it owns. */
export type ExportedRoute = ExportedPort & { cloudflare_hostname: string };

const columns = sql`a.id, a.project, a.environment, a.service, a.host, a.protocol, a.port, a.status, a.service_type,
  a.cloudflare_hostname`;

/**
 * Of several active allocations with one Cloudflare hostname, exported or not, one owns it. None does if the hostname is
 * withheld from all of them.
 */
const ownsHostname = sql`a.hostname_withheld_at is null and not exists (
  select from port_allocations b
  where b.released_at is null and b.cloudflare_hostname = a.cloudflare_hostname and b.hostname_withheld_at is null
    -- The oldest of the project that has it. No proxy routes a hostname to UDP, so TCP comes before UDP ('tcp' < 'udp'),
    -- however old.
    and (b.protocol, b.allocated_at, b.id) < (a.protocol, a.allocated_at, a.id))`;

/**
 * Some of the active allocations, in the order of project, environment, service, host, protocol and port: the first
 * ones behind `after`, or the very first.
 */
export async function findExportedPorts(
  db: Kysely<Tables>,
  access: Access,
  query: ExportQuery,
  after: ExportedPort | null,
  limit: number,
): Promise<ExportedPort[]> {
  const behind =
    after === null
      ? sql`true`
      : sql`(a.project, a.environment, a.service, a.host, a.protocol, a.port) > (${after.project}, ${after.environment},
          ${after.service}, ${after.host}, ${after.protocol}, ${after.port}::integer)`;
  const { rows } = await sql<ExportedPort>`
    select ${columns} from port_allocations a where ${isExported(access, query)} and ${behind}
    order by a.project, a.environment, a.service, a.host, a.protocol, a.port limit ${limit}`.execute(db);
  return rows;
}

/**
 * Some of the TCP allocations that own a hostname, in the order in which cloudflared has to try them, because the first
 * match counts: longer names first, and every wildcard after all other names.
 */
export async function findExportedRoutes(
  db: Kysely<Tables>,
  access: Access,
  query: ExportQuery,
  after: ExportedRoute | null,
  limit: number,
): Promise<ExportedRoute[]> {
  const order = (hostname: RawBuilder<unknown>) =>
    sql`(${hostname} like '*%'), (-length(${hostname})), ${hostname} collate "C"`;
  const name = sql.ref('a.cloudflare_hostname');
  const behind =
    after === null ? sql`true` : sql`(${order(name)}) > (${order(sql`${after.cloudflare_hostname}::text`)})`;
  const { rows } = await sql<ExportedRoute>`
    select ${columns} from port_allocations a
    where ${isExported(access, query)} and length(a.cloudflare_hostname) > 0 and a.protocol = 'tcp' and ${behind}
      and ${ownsHostname}
    order by ${order(name)} limit ${limit}`.execute(db);
  return rows;
}

/** The first hostnames of allocations that do not own theirs. An audit reports them as `duplicate-hostname`. */
export async function findDuplicateHostnames(
  db: Kysely<Tables>,
  access: Access,
  query: ExportQuery,
  limit: number,
): Promise<string[]> {
  const { rows } = await sql<{ name: string }>`
    select distinct a.cloudflare_hostname collate "C" as name from port_allocations a
    where ${isExported(access, query)} and a.cloudflare_hostname in (
        select cloudflare_hostname from port_allocations where released_at is null and cloudflare_hostname is not null
        group by cloudflare_hostname
        having count(*) > 1 or count(hostname_withheld_at) > 0) -- read from the index alone; few are left to be judged
      and not (${ownsHostname})
    order by name limit ${limit}`.execute(db);
  return rows.map(({ name }) => name);
}

function isExported(access: Access, { project, environment, host }: ExportQuery): RawBuilder<boolean> {
  return sql`a.released_at is null
    and ${visibleTo(access, 'a.project')}
    and (${project ?? null}::text is null or a.project = ${project ?? null})
    and (${environment ?? null}::text is null or a.environment = ${environment ?? null})
    and (${host ?? null}::text is null or a.host = ${host ?? null})`;
}
