import { sql } from 'kysely';
import type { Store } from './store.js';

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

/** Each costs an index range per port range, and a time series per project. */
const OTHER_SPACES = 20;

/**
 * Of every project on localhost/tcp, and of those that hold something in the fullest other port spaces.
 * One statement.
 * @throws AppError forbidden
 */
export async function findOccupancy({ db, access }: Store): Promise<Occupancy[]> {
  access.demandEveryProject();
  const { rows } = await sql<Occupancy>`
    with spaces as (
      select 'localhost' as host, 'tcp' as protocol
      union all (
        select a.host, a.protocol from port_allocations a
        where a.released_at is null and (a.host, a.protocol) <> ('localhost', 'tcp')
        group by a.host, a.protocol order by count(*) desc, a.host, a.protocol limit ${OTHER_SPACES})
    )
    select r.project, s.host, s.protocol, sum(c.total_ports)::integer as "totalPorts",
           sum(c.allocated_ports)::integer as "allocatedPorts", sum(c.in_use_ports)::integer as "inUsePorts",
           sum(c.reserved_ports)::integer as "reservedPorts", sum(c.cooling_ports)::integer as "coolingPorts",
           sum(c.available_ports)::integer as "availablePorts"
    from spaces s cross join lateral range_counts(s.host, s.protocol) c
    join port_ranges r on r.start_port = c.start_port
    group by r.project, s.host, s.protocol
    having (s.host = 'localhost' and s.protocol = 'tcp') or sum(c.allocated_ports + c.reserved_ports) > 0
    order by r.project, s.host, s.protocol`.execute(db);
  return rows;
}
