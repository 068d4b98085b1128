import { type Kysely, sql, type Transaction } from 'kysely';
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
 * Deletes up to `limit` audits that are older than `days`.
 * @returns how many were deleted
 */
export async function deleteOldAudits(db: Kysely<Tables>, days: number, limit: number): Promise<number> {
  const { numAffectedRows } = await sql`
    delete from port_audits where id in (
      select id from port_audits
      where checked_at < statement_timestamp() - make_interval(days => ${days})
      order by checked_at limit ${limit} for update skip locked)`.execute(db);
  return Number(numAffectedRows ?? 0);
}

/**
 * Deletes up to `limit` events that are older than `days`, from the beginning of the feed on, and remembers up to where in
 * the same transaction. Older ones behind a younger one stay, so that no reader misses an event in between.
 * @returns how many were deleted
 */
export async function deleteOldEvents(trx: Transaction<Tables>, days: number, limit: number): Promise<number> {
  const { rows } = await sql<{ deleted: number; last: string | null }>`
    with deleted as (
      delete from events where position = any(array(
        select position from events where latest_time < statement_timestamp() - make_interval(days => ${days})
        order by latest_time, position limit ${limit}))
      returning position
    )
    select count(*)::integer as deleted, max(position)::text as last from deleted`.execute(trx);
  const { deleted = 0, last = null } = rows[0] ?? {};
  if (last !== null) await trx.updateTable('event_feed').set({ deleted_position: last }).execute();
  return deleted;
}

/** When the oldest of the newest `limit` health checks of a project was made; null if it has no more than that. */
export async function findOldestToKeep(db: Kysely<Tables>, project: string, limit: number): Promise<Date | null> {
  const row = await db
    .selectFrom('port_health_checks')
    .select('checked_at')
    .where('project', '=', project)
    .orderBy('checked_at', 'desc')
    .offset(limit - 1)
    .limit(1)
    .executeTakeFirst();
  return row?.checked_at ?? null;
}

/**
 * Deletes up to `limit` of a project's health checks from before `oldest`. It skips rows that somebody else has locked.
 * @returns how many were deleted
 */
export async function deleteSurplusHealthChecks(
  db: Kysely<Tables>,
  project: string,
  oldest: Date,
  limit: number,
): Promise<number> {
  const { numAffectedRows } = await sql`
    delete from port_health_checks where id in (
      select id from port_health_checks
      where project = ${project} and checked_at < ${oldest}
      order by checked_at limit ${limit} for update skip locked)`.execute(db);
  return Number(numAffectedRows ?? 0);
}

/**
 * The ids of up to `limit` allocations that were released more than `days` ago, the oldest first. Those whose port may
 * still be cooling down are left out, because the cooldown is counted from their release.
 */
export async function findOldHistory(db: Kysely<Tables>, days: number, limit: number): Promise<string[]> {
  const { rows } = await sql<{ id: string }>`
    select id from port_allocations
    where released_at < statement_timestamp() - greatest(
      make_interval(days => ${days}),
      (select make_interval(secs => max(reuse_cooldown_seconds)) from port_ranges))
    order by released_at limit ${limit}`.execute(db);
  return rows.map(({ id }) => id);
}

/**
 * Deletes up to `limit` health checks of these allocations, in the order given.
 * @returns the allocation of each that was deleted
 */
export async function deleteHealthChecksOf(
  db: Kysely<Tables>,
  allocationIds: readonly string[],
  limit: number,
): Promise<string[]> {
  // `= any(array(…))` leaves PostgreSQL no other plan than to fetch these rows by their place in the table.
  const { rows } = await sql<{ allocation_id: string }>`
    delete from port_health_checks where ctid = any(array(
      select c.place
      from unnest(${allocationIds}::uuid[]) a (id)
      cross join lateral (
        select ctid as place from port_health_checks where allocation_id = a.id
        order by checked_at desc, id desc limit ${limit}
      ) c
      limit ${limit}))
    returning allocation_id`.execute(db);
  return rows.map(({ allocation_id }) => allocation_id);
}

/**
 * Deletes allocations, with what may be left of their health checks. It skips rows that somebody else has locked.
 * @returns how many were deleted
 */
export async function deleteAllocations(db: Kysely<Tables>, ids: readonly string[]): Promise<number> {
  const { numAffectedRows } = await sql`
    delete from port_allocations where id in (
      select id from port_allocations
      where id = any(${ids}::uuid[]) and released_at is not null for update skip locked)`.execute(db);
  return Number(numAffectedRows ?? 0);
}
