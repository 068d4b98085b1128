import { type Kysely, sql } from 'kysely';
import type { Tables } from '../../database/tables.js';

/** The services that the registry may have written into the rules of a tunnel, by hostname. */
export async function findWrittenServices(db: Kysely<Tables>, tunnelId: string): Promise<Map<string, string[]>> {
  const rows = await db.selectFrom('cloudflare_hostnames').selectAll().where('tunnel_id', '=', tunnelId).execute();
  return new Map(rows.map(({ hostname, services }) => [hostname, services]));
}

export async function saveWrittenServices(
  db: Kysely<Tables>,
  tunnelId: string,
  written: ReadonlyMap<string, readonly string[]>,
): Promise<void> {
  if (written.size === 0) return;
  const values = [...written].map(([hostname, services]) => ({
    tunnel_id: tunnelId,
    hostname,
    services: [...services],
  }));
  await db
    .insertInto('cloudflare_hostnames')
    .values(values)
    .onConflict((conflict) =>
      conflict.columns(['tunnel_id', 'hostname']).doUpdateSet({ services: sql`excluded.services` }),
    )
    .execute();
}

export async function deleteWrittenServices(db: Kysely<Tables>, tunnelId: string, hostnames: string[]): Promise<void> {
  if (hostnames.length === 0) return;
  await db
    .deleteFrom('cloudflare_hostnames')
    .where('tunnel_id', '=', tunnelId)
    .where('hostname', 'in', hostnames)
    .execute();
}

export interface TunnelState {
  position: number;
  succeededAt: Date | null;
  pendingChanges: number | null;
  conflicts: number | null;
  failures: number;
  failedAt: Date | null;
  error: string | null;
  retryAt: Date | null;
  /** By the clock of the database, which is the same for all replicas. */
  secondsSinceSuccess: number | null;
  mayTry: boolean;
}

export async function findTunnelState(db: Kysely<Tables>, tunnelId: string): Promise<TunnelState | null> {
  const row = await db
    .selectFrom('cloudflare_tunnels')
    .selectAll()
    .select([
      sql<number | null>`extract(epoch from clock_timestamp() - succeeded_at)::float8`.as('age'),
      sql<boolean>`coalesce(retry_at <= clock_timestamp(), true)`.as('may_try'),
    ])
    .where('tunnel_id', '=', tunnelId)
    .executeTakeFirst();
  if (!row) return null;
  return {
    position: Number(row.position),
    succeededAt: row.succeeded_at,
    pendingChanges: row.pending_changes,
    conflicts: row.conflicts,
    failures: row.failures,
    failedAt: row.failed_at,
    error: row.error,
    retryAt: row.retry_at,
    secondsSinceSuccess: row.age,
    mayTry: row.may_try,
  };
}

export async function saveTunnelSuccess(
  db: Kysely<Tables>,
  tunnelId: string,
  position: number,
  conflicts: number,
): Promise<void> {
  await sql`
    insert into cloudflare_tunnels (tunnel_id, position, succeeded_at, pending_changes, conflicts)
    values (${tunnelId}, ${position}, clock_timestamp(), 0, ${conflicts})
    on conflict (tunnel_id) do update
      set position = greatest(cloudflare_tunnels.position, excluded.position), succeeded_at = excluded.succeeded_at,
        pending_changes = 0, conflicts = excluded.conflicts, failures = 0, failed_at = null, error = null,
        retry_at = null`.execute(db);
}

/** The pause doubles with every failure, between the two bounds. */
export async function saveTunnelFailure(
  db: Kysely<Tables>,
  tunnelId: string,
  failure: { error: string; pendingChanges: number | null; leastPauseSeconds: number; longestPauseSeconds: number },
): Promise<void> {
  const { error, pendingChanges, leastPauseSeconds, longestPauseSeconds } = failure;
  const pause = (failures: ReturnType<typeof sql>) =>
    sql`make_interval(secs => greatest(${leastPauseSeconds}::float8, least(${longestPauseSeconds}::float8, 2 ^ least(${failures}, 20))))`;
  await sql`
    insert into cloudflare_tunnels (tunnel_id, pending_changes, failures, failed_at, error, retry_at)
    values (${tunnelId}, ${pendingChanges}, 1, clock_timestamp(), ${error}, clock_timestamp() + ${pause(sql`1`)})
    on conflict (tunnel_id) do update
      set pending_changes = coalesce(excluded.pending_changes, cloudflare_tunnels.pending_changes),
        failures = cloudflare_tunnels.failures + 1, failed_at = excluded.failed_at, error = excluded.error,
        retry_at = clock_timestamp() + ${pause(sql`cloudflare_tunnels.failures + 1`)}`.execute(db);
}
