import { type Kysely, sql } from 'kysely';
import type { Access } from '../access/access.js';
import type { Tables } from '../database/tables.js';

/** How full a project is in one port space. */
export interface Occupancy {
  project: string;
  host: string;
  protocol: string;
  totalPorts: number;
  allocatedPorts: number;
  inUsePorts: number;
  reservedPorts: number;
  coolingPorts: number;
  availablePorts: number;
}

/** Each costs a time series per project that holds something there. */
const OTHER_SPACES = 20;

/**
 * Of every project on localhost/tcp, and of those that hold something in the fullest other port spaces.
 * One statement, that goes once through what is active: counted range by range in each space, 567 ranges in 21
 * spaces took 0.7 s of processor time. A port is counted once: allocated, else reserved, else cooling.
 * @throws AppError forbidden
 */
export async function findOccupancy(db: Kysely<Tables>, access: Access): Promise<Occupancy[]> {
  access.requireEveryProject();
  const { rows } = await sql<Occupancy>`
    with allocated as (
      select host, protocol, port / 100 as block, count(*) as ports, count(*) filter (where status = 'in_use') as in_use
      from port_allocations where released_at is null group by host, protocol, port / 100
    ), spaces as (
      select 'localhost' as host, 'tcp' as protocol
      union all (
        select host, protocol from allocated where (host, protocol) <> ('localhost', 'tcp')
        group by host, protocol order by sum(ports) desc, host, protocol limit ${OTHER_SPACES})
    ), blocks as (
      -- Ranges are made of whole hundreds, so that a port finds its own by a hash and not by comparing with all.
      select r.project, block / 100 as block
      from port_ranges r cross join lateral generate_series(r.start_port, r.end_port, 100) block
    ), totals as (
      select project, sum(end_port - start_port + 1)::integer as ports from port_ranges group by project
    ), taken as (
      select host, protocol, block, ports as allocated, in_use, 0 as reserved, 0 as cooling from allocated
      union all
      select v.host, v.protocol, v.port / 100, 0, 0, 1, 0
      from port_reservations v
      where v.status = 'active' and v.expires_at > clock_timestamp() and not exists (
        select from port_allocations a
        where a.released_at is null and a.host = v.host and a.protocol = v.protocol and a.port = v.port)
      union all
      select s.host, s.protocol, c.port / 100, 0, 0, 0, 1
      from spaces s cross join port_ranges r cross join lateral cooling_ports(r.start_port, s.host, s.protocol) c
      where r.reuse_cooldown_seconds > 0
    ), counts as (
      select b.project, t.host, t.protocol, sum(t.allocated) as allocated, sum(t.in_use) as in_use,
             sum(t.reserved) as reserved, sum(t.cooling) as cooling
      from taken t join blocks b on b.block = t.block
      group by b.project, t.host, t.protocol
    )
    select t.project, s.host, s.protocol, t.ports as "totalPorts",
           coalesce(c.allocated, 0)::integer as "allocatedPorts", coalesce(c.in_use, 0)::integer as "inUsePorts",
           coalesce(c.reserved, 0)::integer as "reservedPorts", coalesce(c.cooling, 0)::integer as "coolingPorts",
           (t.ports - coalesce(c.allocated + c.reserved + c.cooling, 0))::integer as "availablePorts"
    from totals t cross join spaces s
    left join counts c on c.project = t.project and c.host = s.host and c.protocol = s.protocol
    where (s.host = 'localhost' and s.protocol = 'tcp') or c.allocated + c.reserved > 0
    order by t.project, s.host, s.protocol`.execute(db);
  return rows;
}
