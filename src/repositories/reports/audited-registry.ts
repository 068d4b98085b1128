import { type Kysely, sql } from 'kysely';
import type { Access } from '../../access/access.js';
import { statementTime } from '../../database/clock.js';
import type { Tables } from '../../database/tables.js';
import type { AuditScope } from '../../schemas/audit.js';
import { requireRange } from '../ranges.js';
import { visibleTo } from '../visible.js';

interface Held {
  id: string;
  port: number;
  host: string;
  protocol: 'tcp' | 'udp';
  project: string;
}
export interface AuditedAllocation extends Held {
  service: string;
  environment: string;
  /** The folder in which the environment lives. Null if none is on record. */
  path: string | null;
}
export interface AuditedReservation extends Held {
  service: string | null;
}
/** An active allocation whose Cloudflare hostname others have too, or from which it is withheld. */
export interface HostnameOwner extends Omit<Held, 'project'> {
  hostname: string;
  owner: string;
  /** Null where the caller may not see the owner's allocations. */
  service: string | null;
  environment: string | null;
  /** When the hostname was withheld from this allocation; null if it was not. */
  withheldAt: Date | null;
}

/** What the registry says about everything that an audit looks at. */
export interface AuditedRegistry {
  allocations: AuditedAllocation[];
  reservations: AuditedReservation[];
  ranges: { start_port: number; end_port: number; project: string }[];
  /** Every allocation with a hostname that several have, or that is withheld; at least one of each in scope. */
  hostnameOwners: HostnameOwner[];
}

/**
 * For an audit of one project, only that project counts as visible, whatever else the caller sees: the audit is kept,
 * and everybody who sees the project can read it.
 * @throws AppError project-not-found, forbidden
 */
export async function findAudited(db: Kysely<Tables>, access: Access, scope: AuditScope): Promise<AuditedRegistry> {
  const { project, host } = scope;
  if (project !== undefined) await requireRange(db, access, project);
  const visible = visibleTo(project === undefined ? access : { projects: [project] });
  const inScope = sql`${visible} and (${host ?? null}::text is null or host = ${host ?? null})`;
  const allocations = await sql<AuditedAllocation>`
    select id, port, host, protocol, project, service, environment, path
    from port_allocations left join environments using (project, environment)
    where released_at is null and ${inScope} order by port, host, protocol`.execute(db);
  const reservations = await sql<AuditedReservation>`
    select id, port, host, protocol, project, service from port_reservations
    where status = 'active' and expires_at > ${statementTime} and ${inScope}
    order by port, host, protocol`.execute(db);
  const hostnameOwners = await sql<HostnameOwner>`
    select id, port, host, protocol, project as owner, case when ${visible} then service end as service,
           case when ${visible} then environment end as environment,
           cloudflare_hostname as hostname, hostname_withheld_at as "withheldAt"
    from port_allocations
    where released_at is null and cloudflare_hostname in (
      select cloudflare_hostname from port_allocations
      where released_at is null and cloudflare_hostname is not null
      group by cloudflare_hostname having (count(*) > 1 or bool_or(hostname_withheld_at is not null)) and bool_or(${inScope}))
    order by hostname, port, host, protocol`.execute(db);
  const ranges = await db
    .selectFrom('port_ranges')
    .select(['start_port', 'end_port', 'project'])
    .where(visible)
    .orderBy('start_port')
    .execute();
  return {
    allocations: allocations.rows,
    reservations: reservations.rows,
    hostnameOwners: hostnameOwners.rows,
    ranges,
  };
}

/** Which of these allocations are active no more: those that were released, and those that were deleted since. */
export async function findReleased(db: Kysely<Tables>, ids: readonly string[]): Promise<Set<string>> {
  const { rows } = await sql<{ id: string }>`
    select asked.id from unnest(${ids}::uuid[]) asked (id)
    where not exists (select from port_allocations a where a.id = asked.id and a.released_at is null)`.execute(db);
  return new Set(rows.map(({ id }) => id));
}

/**
 * Which of these TCP ports are taken now: a port that was free when an audit began may have been allocated since. It
 * tells that a port is taken and not by whom, and so needs no access.
 */
export async function findTaken(
  db: Kysely<Tables>,
  ports: readonly { host: string; port: number }[],
): Promise<{ host: string; port: number; kind: 'allocation' | 'reservation' }[]> {
  const { rows } = await sql<{ host: string; port: number; kind: 'allocation' | 'reservation' }>`
    with asked as (
      select * from jsonb_to_recordset(${JSON.stringify(ports)}::jsonb) as p (host text, port integer)
    )
    select asked.host, asked.port, 'allocation' as kind
    from asked join port_allocations a
      on a.released_at is null and a.host = asked.host and a.protocol = 'tcp' and a.port = asked.port
    union all
    select asked.host, asked.port, 'reservation' as kind
    from asked join port_reservations v
      on v.status = 'active' and v.host = asked.host and v.protocol = 'tcp' and v.port = asked.port
      and v.expires_at > ${statementTime}`.execute(db);
  return rows;
}
