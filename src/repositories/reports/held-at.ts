import { type RawBuilder, type Selectable, sql } from 'kysely';
import type { PortAllocationsTable } from '../../database/tables.js';

/**
 * The allocations that were held at a moment, for a statement to select from, with those of the ports from `first` to
 * `last` alone. They are the active ones that existed then, and those that were released later.
 *
 * There may be a million of the second kind, of which few were held at the moment. A port has one holder at a time, so
 * only the first of its releases after the moment can be that of who held it then: all others were allocated after it.
 * The query steps through the index of releases from one port of a host and protocol to the next, and looks for that
 * release of each. So its work grows with how many different ports were ever released, and not with how often.
 * The order of the steps is that of the index. In the order of ports, which the list has, PostgreSQL would take another
 * index and sort all releases of a port for each step.
 */
export function heldAt(
  moment: string,
  { first, last }: { first: number; last: number },
): RawBuilder<Selectable<PortAllocationsTable>> {
  const place = sql`host, protocol, port`;
  const areAsked = sql`port between ${first} and ${last}`;
  return sql`(
    select * from port_allocations
    where released_at is null and allocated_at <= ${moment}::timestamptz and ${areAsked}
    union all (
      with recursive places as (
        (select ${place} from port_allocations where released_at is not null order by ${place} limit 1)
        union all
        select next.* from places p cross join lateral (
          select ${place} from port_allocations a
          where a.released_at is not null and (a.host, a.protocol, a.port) > (p.host, p.protocol, p.port)
          order by ${place} limit 1) next
      )
      select a.* from (select * from places where ${areAsked}) p cross join lateral (
        select * from port_allocations a
        where a.port = p.port and a.host = p.host and a.protocol = p.protocol and a.released_at > ${moment}::timestamptz
        order by a.released_at, a.allocated_at, a.id limit 1) a
      where a.allocated_at <= ${moment}::timestamptz
    )
  )`;
}
