import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { type Kysely, sql } from 'kysely';
import type { Tables } from '../../src/database/tables.js';
import { Model } from './model.js';
import type { Held, ModelRange } from './model-values.js';

/** PROPERTY_SEED=… repeats a run. */
export const propertySeed = Number(process.env.PROPERTY_SEED ?? Date.now() % 2 ** 31);

/** Ports of alpha's range that are left free. They are few, so that the range becomes full. */
export const someGaps = fc.uniqueArray(fc.integer({ min: 3000, max: 3099 }), { maxLength: 6 });

/** The ranges with which a property test starts: alpha's is almost full, beta's is empty. */
const RANGES: ModelRange[] = [
  { startPort: 3000, endPort: 3099, project: 'alpha', kind: 'project', description: null },
  { startPort: 3100, endPort: 3199, project: 'beta', kind: 'project', description: null },
];

/**
 * Resets the database to the two ranges. All ports of alpha's but `gaps` are held on localhost/tcp, and nothing else
 * is.
 * @returns a model in the same state
 */
export async function resetRegistry(db: Kysely<Tables>, gaps: readonly number[]): Promise<Model> {
  const rows = Array.from({ length: 100 }, (_, i): Held => {
    const key = { project: 'alpha', service: 'filler', environment: 'default', host: 'localhost' };
    const details = {
      serviceType: null,
      description: null,
      cloudflareHostname: null,
      metadata: null,
      isWithheld: false,
    };
    return { id: randomUUID(), port: 3000 + i, ...key, protocol: 'tcp', status: 'allocated', ...details };
  }).filter((row) => !gaps.includes(row.port));
  await sql`truncate port_ranges, port_allocations, kept_hostnames, environments, port_health_checks, port_reservations, idempotency_keys`.execute(
    db,
  );
  await sql`
    insert into port_ranges (start_port, end_port, project)
    select * from jsonb_to_recordset(${JSON.stringify(RANGES.map(({ startPort, endPort, project }) => ({ start_port: startPort, end_port: endPort, project })))}::jsonb)
      as r (start_port integer, end_port integer, project text)`.execute(db);
  await resetExcluded(db);
  await sql`
    insert into port_allocations (id, port, project, service)
    select id, port, project, service from jsonb_populate_recordset(null::port_allocations, ${JSON.stringify(rows)}::jsonb)`.execute(
    db,
  );
  return new Model(RANGES, rows, new Map(BUILT_IN.map((port) => [port, BUILT_IN_REASON])));
}

/** The ports that a new registry excludes. */
const BUILT_IN = [3659, 4045, 4190, 5060, 5061, 6000, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080];
const BUILT_IN_REASON = 'built in';

async function resetExcluded(db: Kysely<Tables>): Promise<void> {
  await sql`truncate excluded_ports`.execute(db);
  await sql`
    insert into excluded_ports (port, reason) select port, ${BUILT_IN_REASON} from unnest(${BUILT_IN}::integer[]) port`.execute(
    db,
  );
}

export async function emptyRegistry(db: Kysely<Tables>): Promise<void> {
  await sql`truncate port_ranges, port_allocations, kept_hostnames, environments, port_health_checks, port_reservations, idempotency_keys`.execute(
    db,
  );
}

/** Checks what must hold for every database, whatever was done to it. Returns a sentence for each violation. */
export async function findViolations(db: Kysely<Tables>): Promise<string[]> {
  const { rows } = await sql<{ violation: string }>`
    select format('%s allocations hold %s/%s port %s', count(*), host, protocol, port) as violation
    from port_allocations where released_at is null group by host, protocol, port having count(*) > 1
    union all
    select format('%s holds port %s, which is in none of its ranges', a.project, a.port)
    from port_allocations a
    where a.released_at is null and not exists (
      select from port_ranges r where r.project = a.project and a.port between r.start_port and r.end_port)
    union all
    select format('%s overlaps %s', a.start_port, b.start_port)
    from port_ranges a join port_ranges b
      on a.start_port < b.start_port and a.end_port >= b.start_port
    union all
    select format('allocation %s was released before it was allocated', id)
    from port_allocations where released_at < allocated_at
    union all
    select format('range %s counts %s allocated and %s available of %s', start_port, allocated_ports, available_ports, total_ports)
    from range_counts()
    where allocated_ports + reserved_ports + cooling_ports + excluded_ports + available_ports <> total_ports or available_ports < 0`.execute(
    db,
  );
  return rows.map((row) => row.violation);
}
