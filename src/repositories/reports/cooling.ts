import { type RawBuilder, type Selectable, sql } from 'kysely';
import { statementTime } from '../../database/clock.js';
import type { PortAllocationsTable } from '../../database/tables.js';

export interface CoolingAsked {
  /** The first and the last port. */
  first: number;
  last: number;
  host?: string | undefined;
  protocol?: string | undefined;
}

/** So many releases are quickly read from the index of their times. */
const MOST_RECENT = 5000;

/**
 * The last release of each port that is cooling down, for a statement to select from. They are the ports of which `GET
 * /v1/ports/{port}` says `cooling`, and which the counts of the ranges have as cooling, because
 * `unreserved_cooling_ports()` tells all three.
 *
 * That function takes one range in one port space, and ranges lie in every port space. It is called where something was
 * released within the longest cooldown, which the index of releases by time tells: what was released long ago, on hosts
 * that are not used any more, costs nothing. A service may release and get back its port thousands of times within a
 * cooldown. Where there are more releases than `MOST_RECENT`, the query steps through the index of releases by port
 * instead: from one port to the first one behind its hundred, or in the next port space. Ranges begin at a multiple of
 * 100 and end just before one. So the work grows with how many hundreds of ports were released from, and how many ports
 * their ranges have, and not with how often they were released.
 */
export function coolingDown({
  first,
  last,
  host,
  protocol,
}: CoolingAsked): RawBuilder<Selectable<PortAllocationsTable>> {
  const isOfSpace = sql`${host === undefined ? sql`true` : sql`p.host = ${host}`}
    and ${protocol === undefined ? sql`true` : sql`p.protocol = ${protocol}`}`;
  return sql`(
    with recursive recent as materialized (
      select host, protocol, port from port_allocations
      where released_at > ${statementTime} - (select make_interval(secs => max(reuse_cooldown_seconds)) from port_ranges)
      order by released_at desc limit ${MOST_RECENT + 1}
    ), released as (
      (select host, protocol, port / 100 as hundred from port_allocations
       where released_at is not null and (select count(*) from recent) > ${MOST_RECENT}
       order by host, protocol, port limit 1)
      union all
      select next.* from released p cross join lateral (
        select host, protocol, port / 100 as hundred from port_allocations a
        where a.released_at is not null and (a.host, a.protocol, a.port) > (p.host, p.protocol, 100 * p.hundred + 99)
        order by host, protocol, port limit 1) next
    ), hundreds as (
      select host, protocol, hundred from released
      union
      select host, protocol, port / 100 from recent where (select count(*) from recent) <= ${MOST_RECENT}
    ), places as materialized (
      select distinct r.start_port, p.host, p.protocol
      from port_ranges r cross join lateral generate_series(r.start_port, r.end_port, 100) as hundred (start)
      join hundreds p on p.hundred = hundred.start / 100
      where r.reuse_cooldown_seconds > 0 and r.start_port <= ${last} and r.end_port >= ${first} and ${isOfSpace}
    )
    select a.* from places p
    cross join lateral unreserved_cooling_ports(p.start_port, p.host, p.protocol, ${statementTime}) c
    cross join lateral (
      select * from port_allocations a
      where a.host = p.host and a.protocol = p.protocol and a.port = c.port and a.released_at is not null
      order by a.released_at desc, a.allocated_at desc, a.id desc limit 1) a
    where c.port between ${first} and ${last}
  )`;
}
