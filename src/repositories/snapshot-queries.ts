import { type RawBuilder, sql } from 'kysely';
import { textArray } from '../database/pipeline.js';
import type { AllocationKey, Space } from './commands.js';

// What a look under the lock is made of; snapshot.ts runs those that are needed as one statement.

/** What has to be seen of one port space. */
export interface Ask extends Space {
  /** How many of the lowest free ports. */
  lowest: number;
  /** Whose holders. */
  ports: number[];
  /** Whether a port may be taken or given back in it, so that what cools down matters. */
  changes: boolean;
  /** All reservations; else only those in ranges whose ports cool down. */
  reserves: boolean;
}

export interface RowsWanted {
  keys: AllocationKey[];
  ids: string[];
  environments: (Space & { environment: string })[];
  ports: (Space & { port: number })[];
}

/**
 * Active rows of the keys, environments and ports, and any row of the ids, so long as they are the project's.
 * What is asked for comes as JSON, each thing once: thousands of items are one parameter and no more rows than
 * there are.
 */
export function rowsOf(project: string, { keys, ids, environments, ports }: RowsWanted): RawBuilder<unknown> | null {
  const parts: RawBuilder<unknown>[] = [];
  // `offset 0` keeps each search inside its loop and to the index meant for it: no plan, on whatever statistics,
  // goes through what other projects hold.
  const active = (condition: RawBuilder<unknown>) => sql`cross join lateral (
    select * from port_allocations a
    where a.released_at is null and a.project = ${project} and ${condition} offset 0) a`;
  if (keys.length > 0) {
    parts.push(sql`select a.* from (select distinct * from jsonb_to_recordset(${JSON.stringify(keys)}::jsonb)
      as k (service text, environment text, host text, protocol text)) k
      ${active(sql`a.service = k.service and a.environment = k.environment`)}
      where a.host = k.host and a.protocol = k.protocol`);
  }
  if (environments.length > 0) {
    parts.push(sql`select a.* from (select distinct * from jsonb_to_recordset(${JSON.stringify(environments)}::jsonb)
      as k (environment text, host text, protocol text)) k
      join port_ranges r on r.project = ${project}
      ${active(sql`a.environment = k.environment and a.host = k.host and a.protocol = k.protocol
        and a.port between r.start_port and r.end_port`)}`);
  }
  if (ports.length > 0) {
    parts.push(sql`select a.* from (select distinct * from jsonb_to_recordset(${JSON.stringify(ports)}::jsonb)
      as k (host text, protocol text, port integer)) k
      ${active(sql`a.host = k.host and a.protocol = k.protocol and a.port = k.port`)}`);
  }
  if (ids.length > 0) {
    parts.push(sql`select a.* from port_allocations a
      where a.id = any(${textArray(ids)}::uuid[]) and a.project = ${project}`);
  }
  return parts.length === 0 ? null : sql.join(parts, sql` union `);
}

export function freePortsOf(project: string, asked: Ask[]): RawBuilder<unknown> | null {
  return ofSpaces(
    asked.filter(({ lowest }) => lowest > 0),
    (spaces) => sql`
      select port, k.host, k.protocol
      from ${spaces} cross join lateral free_ports(${project}, k.host, k.protocol, k.lowest) port`,
  );
}

export function coolingPortsOf(project: string, asked: Ask[]): RawBuilder<unknown> | null {
  return ofSpaces(
    asked,
    (spaces) => sql`
      select c.*, k.host, k.protocol
      from ${spaces} cross join port_ranges r cross join lateral resting_ports(r.start_port, k.host, k.protocol) c
      where r.project = ${project} and r.reuse_cooldown_seconds > 0`,
  );
}

export function holdersOf(asked: Ask[]): RawBuilder<unknown> | null {
  return ofSpaces(
    asked,
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

export function reservedOf(project: string, asked: Ask[]): RawBuilder<unknown> | null {
  return ofSpaces(
    asked,
    (spaces) => sql`
      select v.port, v.host, v.protocol, v.expires_at, 'reservation' as kind, v.id, v.project, v.service,
             null as environment
      from ${spaces} cross join port_ranges r
      join port_reservations v on v.host = k.host and v.protocol = k.protocol
        and v.port between r.start_port and r.end_port and v.status = 'active' and v.expires_at > clock_timestamp()
      where r.project = ${project} and (k.reserves or r.reuse_cooldown_seconds > 0)`,
  );
}

/** `k`: the port spaces asked about, however many, as one parameter. */
function ofSpaces(
  asked: Ask[],
  query: (spaces: RawBuilder<unknown>) => RawBuilder<unknown>,
): RawBuilder<unknown> | null {
  if (asked.length === 0) return null;
  return query(sql`jsonb_to_recordset(${JSON.stringify(asked)}::jsonb)
    as k (host text, protocol text, lowest integer, ports integer[], reserves boolean)`);
}
