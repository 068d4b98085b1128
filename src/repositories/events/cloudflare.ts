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
  /** Null until somebody has called apply for the first time. */
  followingSince: Date | null;
  position: number;
  succeededAt: Date | null;
  pendingChanges: number | null;
  conflicts: number | null;
  failures: number;
  failedAt: Date | null;
  error: string | null;
  /** No pass is made unasked before that. */
  retryAt: Date | null;
  // By the clock of the database, which is the same for all replicas.
  secondsSinceSuccess: number | null;
  secondsUntilRetry: number;
  /** Until Cloudflare wants to be called at all. */
  secondsUntilCalls: number;
}

export async function findTunnelState(db: Kysely<Tables>, tunnelId: string): Promise<TunnelState | null> {
  const until = (time: ReturnType<typeof sql>) =>
    sql<number>`greatest(coalesce(extract(epoch from ${time} - clock_timestamp()), 0), 0)::float8`;
  const retryAt = sql<Date | null>`greatest(retry_at, case when calls_at > clock_timestamp() then calls_at end)`;
  const row = await db
    .selectFrom('cloudflare_tunnels')
    .selectAll()
    .select([
      retryAt.as('next_at'),
      sql<number | null>`extract(epoch from clock_timestamp() - succeeded_at)::float8`.as('age'),
      until(retryAt).as('until_retry'),
      until(sql`calls_at`).as('until_calls'),
    ])
    .where('tunnel_id', '=', tunnelId)
    .executeTakeFirst();
  if (!row) return null;
  return {
    followingSince: row.following_since,
    position: Number(row.position),
    succeededAt: row.succeeded_at,
    pendingChanges: row.pending_changes,
    conflicts: row.conflicts,
    failures: row.failures,
    failedAt: row.failed_at,
    error: row.error,
    retryAt: row.next_at,
    secondsSinceSuccess: row.age,
    secondsUntilRetry: row.until_retry,
    secondsUntilCalls: row.until_calls,
  };
}

/** Has the background keep the tunnel in step from now on. */
export async function saveTunnelFollowing(db: Kysely<Tables>, tunnelId: string): Promise<void> {
  await sql`
    insert into cloudflare_tunnels (tunnel_id, following_since) values (${tunnelId}, clock_timestamp())
    on conflict (tunnel_id) do update set following_since = excluded.following_since
      where cloudflare_tunnels.following_since is null`.execute(db);
}

/** Has nobody call Cloudflare for so many seconds. */
export async function saveTunnelPause(db: Kysely<Tables>, tunnelId: string, seconds: number): Promise<void> {
  await sql`
    insert into cloudflare_tunnels (tunnel_id, calls_at)
    values (${tunnelId}, clock_timestamp() + make_interval(secs => ${seconds}))
    on conflict (tunnel_id) do update set calls_at = excluded.calls_at`.execute(db);
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

/** The pause until the next pass is 2 s after the first failure, and doubles with every further one. */
export async function saveTunnelFailure(
  db: Kysely<Tables>,
  tunnelId: string,
  failure: { error: string; pendingChanges: number | null; longestPauseSeconds: number },
): Promise<void> {
  const { error, pendingChanges, longestPauseSeconds } = failure;
  const pause = (failures: ReturnType<typeof sql>) =>
    sql`make_interval(secs => least(${longestPauseSeconds}::float8, 2 ^ least(${failures}, 20)))`;
  await sql`
    insert into cloudflare_tunnels (tunnel_id, pending_changes, failures, failed_at, error, retry_at)
    values (${tunnelId}, ${pendingChanges}, 1, clock_timestamp(), ${error}, clock_timestamp() + ${pause(sql`1`)})
    on conflict (tunnel_id) do update
      set pending_changes = coalesce(excluded.pending_changes, cloudflare_tunnels.pending_changes),
        failures = cloudflare_tunnels.failures + 1, failed_at = excluded.failed_at, error = excluded.error,
        retry_at = clock_timestamp() + ${pause(sql`cloudflare_tunnels.failures + 1`)}`.execute(db);
}
