import { type Kysely, sql } from 'kysely';
import type { Tables } from '../database/tables.js';

/**
 * Deletes up to `limit` health checks that are older than `days`.
 * @returns how many were deleted
 */
export async function deleteOldHealthChecks(db: Kysely<Tables>, days: number, limit: number): Promise<number> {
  const { rows } = await sql`
    delete from port_health_checks where id in (
      select id from port_health_checks
      where checked_at < statement_timestamp() - make_interval(days => ${days})
      order by checked_at limit ${limit} for update skip locked)
    returning id`.execute(db);
  return rows.length;
}

/**
 * Deletes up to `limit` allocations that were released more than `days` ago, with their health checks. Those whose port
 * may still be cooling down stay, because the cooldown is counted from their release.
 * @returns how many were deleted
 */
export async function deleteOldHistory(db: Kysely<Tables>, days: number, limit: number): Promise<number> {
  const { rows } = await sql`
    delete from port_allocations where id in (
      select id from port_allocations
      where released_at < statement_timestamp() - greatest(
        make_interval(days => ${days}),
        (select make_interval(secs => max(reuse_cooldown_seconds)) from port_ranges))
      limit ${limit} for update skip locked)
    returning id`.execute(db);
  return rows.length;
}
