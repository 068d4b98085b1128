// The queries of look.ts for the parts of a look. Null asks for nothing.
import { type RawBuilder, sql } from 'kysely';
import type { ReservationRow } from '../database/tables.js';
import type { Space } from '../keys.js';

/** What has to be read of one port space. */
export interface SpaceNeeds extends Space {
  /** How many of the lowest free ports. */
  lowest: number;
  /** The ports whose holders are needed. */
  ports: number[];
  /** Whether a command may take a port here, so that the ports that cool down are needed. */
  mayTake: boolean;
  /** Whether every active reservation is needed, or only those in ranges that have a cooldown. */
  allReservations: boolean;
}

export function freePortsOf(project: string, needs: SpaceNeeds[]): RawBuilder<unknown> | null {
  return ofSpaces(
    needs.filter(({ lowest }) => lowest > 0),
    (spaces) => sql`
      select port, k.host, k.protocol
      from ${spaces} cross join lateral free_ports(${project}, k.host, k.protocol, k.lowest) port`,
  );
}

export function coolingPortsOf(project: string, needs: SpaceNeeds[]): RawBuilder<unknown> | null {
  return ofSpaces(
    needs,
    (spaces) => sql`
      select c.*, k.host, k.protocol
      from ${spaces} cross join port_ranges r cross join lateral cooling_ports(r.start_port, k.host, k.protocol) c
      where r.project = ${project} and r.reuse_cooldown_seconds > 0`,
  );
}

/** Who holds or has reserved the ports, of whichever project: only the decision checks in whose range a port lies. */
export function holdersOf(needs: SpaceNeeds[]): RawBuilder<unknown> | null {
  return ofSpaces(
    needs.filter(({ ports }) => ports.length > 0),
    (spaces) => sql`
      select v.port, v.host, v.protocol, 'reservation' as kind, v.id, v.project, v.service, null as environment
      from ${spaces} cross join lateral unnest(k.ports) asked (port)
      cross join lateral (
        select * from port_reservations v
        where v.host = k.host and v.protocol = k.protocol and v.port = asked.port and v.status = 'active'
          and v.expires_at > clock_timestamp() limit 1) v
      union all
      select a.port, a.host, a.protocol, 'allocation' as kind, a.id, a.project, a.service, a.environment
      from ${spaces} cross join lateral unnest(k.ports) asked (port)
      cross join lateral (
        select * from port_allocations a
        where a.host = k.host and a.protocol = k.protocol and a.port = asked.port and a.released_at is null limit 1) a`,
  );
}

export function reservedPortsOf(project: string, needs: SpaceNeeds[]): RawBuilder<unknown> | null {
  return ofSpaces(
    needs,
    (spaces) => sql`
      select v.port, v.host, v.protocol, v.expires_at, 'reservation' as kind, v.id, v.project, v.service,
             null as environment
      from ${spaces} cross join port_ranges r
      join port_reservations v on v.host = k.host and v.protocol = k.protocol
        and v.port between r.start_port and r.end_port and v.status = 'active' and v.expires_at > clock_timestamp()
      where r.project = ${project} and (k."allReservations" or r.reuse_cooldown_seconds > 0)`,
  );
}

export function reservationsById(project: string, ids: string[]): RawBuilder<ReservationRow> {
  return sql`select * from port_reservations where id = any(${ids}::uuid[]) and project = ${project}`;
}

/** @param query gets the port spaces as the table `k`: one JSON parameter, however many there are */
function ofSpaces(
  needs: SpaceNeeds[],
  query: (spaces: RawBuilder<unknown>) => RawBuilder<unknown>,
): RawBuilder<unknown> | null {
  if (needs.length === 0) return null;
  return query(sql`jsonb_to_recordset(${JSON.stringify(needs)}::jsonb)
    as k (host text, protocol text, lowest integer, ports integer[], "allReservations" boolean)`);
}
