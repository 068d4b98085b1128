// The queries of look.ts for the parts of a look. Null asks for nothing.
import { type RawBuilder, sql } from 'kysely';
import type { ReservationRow } from '../database/tables.js';
import { distinctSpaces, isSameSpace, type Space } from '../keys.js';
import type { Take } from './command.js';

/** What has to be read of one port space. */
export interface SpaceNeeds extends Space {
  /** How many free ports the commands may take. */
  wanted: number;
  /** How many of the lowest free ports are read: at least `wanted`. */
  lowest: number;
  /** The ports whose holders are needed. */
  ports: number[];
  /** Whether a command may take a port here, so that the ports that cool down are needed. */
  mayTake: boolean;
  /** Whether every active reservation is needed, or only those in ranges that have a cooldown. */
  allReservations: boolean;
}

/**
 * What has to be read of each port space of the keys, the ports to be taken, and the reservations.
 * @param countToRead how many free ports have to be read so that there are enough
 */
export function needsOfSpaces(
  keys: Space[],
  allTakes: Take[],
  allReservations: ReservationRow[],
  countToRead: (space: Space, wanted: number) => number,
): SpaceNeeds[] {
  return distinctSpaces([...keys, ...allTakes, ...allReservations]).map((space) => {
    const takes = allTakes.filter((take) => isSameSpace(space, take));
    const reservations = allReservations.filter((reservation) => isSameSpace(space, reservation));
    // One for each command: a command that names its port may take one of the lowest ports away from the others. Where
    // every command names its port, none of them needs the lowest ones.
    const wanted = takes.some(({ port }) => port === null) ? takes.length : 0;
    const named = takes.flatMap(({ port, prefer }) => port ?? prefer ?? []);
    return {
      ...space,
      wanted,
      lowest: takes.some(({ all }) => all) ? EVERY_PORT : countToRead(space, wanted),
      ports: [...new Set([...named, ...reservations.map(({ port }) => port)])],
      mayTake: takes.length > 0 || reservations.length > 0,
      allReservations: reservations.length > 0,
    };
  });
}

const EVERY_PORT = 65_536;

export function excludedPortsOf(project: string): RawBuilder<unknown> {
  return sql`select port from excluded_ports_of(${project}) port`;
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
