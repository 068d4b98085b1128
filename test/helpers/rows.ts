import { type Kysely, sql } from 'kysely';
import type { Tables } from '../../src/database/tables.js';

/**
 * Returns everything in the registry as a text, to show that a refusal changed nothing. Audits and the events that tell of
 * them are left out: whoever may read may also audit, and that changes nothing else.
 */
export async function readRegistry(db: Kysely<Tables>): Promise<string> {
  const { rows } = await sql<{ state: string }>`
    select jsonb_build_object(
      'ranges', (select jsonb_agg(r order by r.start_port) from port_ranges r),
      'allocations', (select jsonb_agg(a order by a.id) from port_allocations a),
      'reservations', (select jsonb_agg(v order by v.id) from port_reservations v),
      'excluded', (select jsonb_agg(x order by x.port) from excluded_ports x),
      'paths', (select jsonb_agg(e order by e.project, e.environment) from environments e),
      'hostnames', (select jsonb_agg(h order by h.hostname) from kept_hostnames h),
      'events', (select count(*) from (select type from events union all select type from new_events) e
                 where type <> 'audit.finished'),
      'keys', (select jsonb_agg(k order by k.project, k.key) from idempotency_keys k))::text as state`.execute(db);
  return rows[0]?.state ?? '';
}

interface NewReservation {
  port: number;
  project: string;
  service?: string;
  host?: string;
  protocol?: 'tcp' | 'udp';
  /** When it expires, from now. Negative for a reservation that has expired already. */
  seconds: number;
}

/** Inserts a reservation. Returns its id. */
export async function insertReservation(db: Kysely<Tables>, reservation: NewReservation): Promise<string> {
  const { port, project, service = null, host = 'localhost', protocol = 'tcp', seconds } = reservation;
  const { rows } = await sql<{ id: string }>`
    insert into port_reservations (port, project, service, host, protocol, expires_at)
    values (${port}, ${project}, ${service}, ${host}, ${protocol}, clock_timestamp() + make_interval(secs => ${seconds}))
    returning id`.execute(db);
  return rows[0]?.id as string;
}
