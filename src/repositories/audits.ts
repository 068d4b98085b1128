import { type Kysely, sql } from 'kysely';
import type { Tables } from '../database/tables.js';
import * as refusals from '../refusals.js';
import type { AuditScope } from '../schemas/audit.js';
import { hasRange } from './ranges.js';
import type { Store } from './store.js';

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
}
export interface AuditedReservation extends Held {
  service: string | null;
}
/** One of two active allocations or more that claim one hostname. */
export interface HostnameClaim extends Omit<AuditedAllocation, 'project' | 'service'> {
  hostname: string;
  owner: string;
  /** Null where the caller sees no more of the owner than its name. */
  service: string | null;
}

/** What the registry says about what an audit is to look at. */
export interface AuditedRegistry {
  allocations: AuditedAllocation[];
  reservations: AuditedReservation[];
  ranges: { start_port: number; end_port: number; project: string }[];
  /** Of every hostname that is claimed in scope and more than once, all claims, in scope or not. */
  claims: HostnameClaim[];
}

/** @throws AppError project-not-found, forbidden */
export async function findAudited({ db, access }: Store, scope: AuditScope): Promise<AuditedRegistry> {
  const { project, host } = scope;
  if (project !== undefined) {
    access.demandProject(project);
    if (!(await hasRange(db, project))) throw refusals.projectNotFound(project);
  }
  const isSeen = sql`(${access.projects}::text[] is null or project = any(${access.projects}))`;
  const inScope = sql`${isSeen} and (${project ?? null}::text is null or project = ${project ?? null})
    and (${host ?? null}::text is null or host = ${host ?? null})`;
  const allocations = await sql<AuditedAllocation>`
    select id, port, host, protocol, project, service, environment from port_allocations
    where released_at is null and ${inScope} order by port, host, protocol`.execute(db);
  const reservations = await sql<AuditedReservation>`
    select id, port, host, protocol, project, service from port_reservations
    where status = 'active' and expires_at > clock_timestamp() and ${inScope}
    order by port, host, protocol`.execute(db);
  const claims = await sql<HostnameClaim>`
    select id, port, host, protocol, project as owner, case when ${isSeen} then service end as service, environment,
           cloudflare_hostname as hostname
    from port_allocations
    where released_at is null and cloudflare_hostname in (
      select cloudflare_hostname from port_allocations
      where released_at is null and cloudflare_hostname is not null
      group by cloudflare_hostname having count(*) > 1 and bool_or(${inScope}))
    order by hostname, port, host, protocol`.execute(db);
  const ranges = await db
    .selectFrom('port_ranges')
    .select(['start_port', 'end_port', 'project'])
    .$if(access.projects !== null, (q) => q.where('project', 'in', access.projects ?? []))
    .$if(project !== undefined, (q) => q.where('project', '=', project as string))
    .orderBy('start_port')
    .execute();
  return { allocations: allocations.rows, reservations: reservations.rows, claims: claims.rows, ranges };
}

/** Which of these allocations are held no more: released, or history that has been deleted since. */
export async function findReleased(db: Kysely<Tables>, ids: readonly string[]): Promise<Set<string>> {
  const { rows } = await sql<{ id: string }>`
    select asked.id from unnest(${ids}::uuid[]) asked (id)
    where not exists (select from port_allocations a where a.id = asked.id and a.released_at is null)`.execute(db);
  return new Set(rows.map(({ id }) => id));
}

/** Who holds these TCP ports now: what was free when an audit began may be somebody's since. */
export async function findHolds(
  db: Kysely<Tables>,
  places: readonly { host: string; port: number }[],
): Promise<{ host: string; port: number; kind: 'allocation' | 'reservation' }[]> {
  const { rows } = await sql<{ host: string; port: number; kind: 'allocation' | 'reservation' }>`
    with asked as (
      select * from jsonb_to_recordset(${JSON.stringify(places)}::jsonb) as p (host text, port integer)
    )
    select asked.host, asked.port, 'allocation' as kind
    from asked join port_allocations a
      on a.released_at is null and a.host = asked.host and a.protocol = 'tcp' and a.port = asked.port
    union all
    select asked.host, asked.port, 'reservation' as kind
    from asked join port_reservations v
      on v.status = 'active' and v.host = asked.host and v.protocol = 'tcp' and v.port = asked.port
      and v.expires_at > clock_timestamp()`.execute(db);
  return rows;
}
