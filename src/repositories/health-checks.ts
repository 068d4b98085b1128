import { type Kysely, type RawBuilder, sql, type Transaction } from 'kysely';
import type { HealthCheckRow, Tables } from '../database/tables.js';
import type { HealthCheck } from '../schemas/health-check.js';
import { decodeCursor, isTime, isUuid, type Page, type PageRequest, toPage } from './pages.js';

/** What a probe of an allocation found. */
export type NewHealthCheck = Omit<HealthCheck, 'id' | 'checkedAt'>;

/** Stores one check, and moves its allocation's status. @returns null where the allocation has been deleted */
export async function insertHealthCheck(trx: Transaction<Tables>, check: NewHealthCheck): Promise<HealthCheck | null> {
  // `insertion` would skip the status of an allocation that somebody else has locked, and so waits for the lock first.
  await trx.selectFrom('port_allocations').select('id').where('id', '=', check.allocationId).forNoKeyUpdate().execute();
  const { rows } = await sql<HealthCheckRow>`${insertion([check])} select * from inserted`.execute(trx);
  return rows[0] ? toHealthCheck(rows[0]) : null;
}

/**
 * Stores the checks of an audit, and moves their allocations' statuses.
 * @returns how many were stored for each project
 */
export async function insertHealthChecks(
  trx: Transaction<Tables>,
  checks: readonly NewHealthCheck[],
): Promise<Map<string, number>> {
  const { rows } = await sql<{ project: string; stored: number }>`
    ${insertion(checks)} select project, count(*)::integer as stored from inserted group by project`.execute(trx);
  return new Map(rows.map(({ project, stored }) => [project, stored]));
}

/**
 * One statement that stores checks and moves the allocations' statuses: open makes `in_use`, refused takes `in_use`
 * back to `allocated`; a timeout and an unreachable host say nothing about the service and leave it. A released
 * allocation keeps its check as history and stays released.
 *
 * It skips the status of allocations that somebody else is changing at this very moment: to wait for them in an order
 * that differs from theirs would be a deadlock, and the next check finds the same again.
 */
function insertion(checks: readonly NewHealthCheck[]): RawBuilder<unknown> {
  return sql`
    with checked as (
      select c.*, a.project, clock_timestamp()::timestamptz(3) as checked_at
      from jsonb_to_recordset(${JSON.stringify(checks)}::jsonb) as c (
        "allocationId" uuid, port integer, host text, outcome text, "responseTimeMs" double precision, error text)
      join port_allocations a on a.id = c."allocationId"
    ), held as (
      select a.id, c.outcome, c.checked_at
      from checked c join port_allocations a on a.id = c."allocationId"
      where a.released_at is null and (c.outcome = 'open' or (c.outcome = 'refused' and a.status = 'in_use'))
      for no key update of a skip locked
    ), moved as (
      update port_allocations a
      set status = case held.outcome when 'open' then 'in_use' else 'allocated' end,
          last_used_at = case held.outcome when 'open' then held.checked_at else a.last_used_at end,
          updated_at = case when (held.outcome = 'open') = (a.status = 'in_use') then a.updated_at else held.checked_at end
      from held where a.id = held.id and a.released_at is null
    ), inserted as (
      insert into port_health_checks (allocation_id, project, port, host, outcome, response_time_ms, error, checked_at)
      select "allocationId", project, port, host, outcome, "responseTimeMs", error, checked_at from checked
      returning *
    )`;
}

/** The health checks of an allocation, newest first. */
export async function listHealthChecks(
  db: Kysely<Tables>,
  allocationId: string,
  { limit = 100, cursor, maxBytes }: PageRequest,
): Promise<Page<HealthCheck>> {
  const before = decodeCursor(cursor, isTime, isUuid);
  const rows = await db
    .selectFrom('port_health_checks')
    .selectAll()
    .where('allocation_id', '=', allocationId)
    .$if(before !== null, (q) =>
      q.where(sql<boolean>`(checked_at, id) < (${before?.[0]}::timestamptz, ${before?.[1]}::uuid)`),
    )
    .orderBy('checked_at', 'desc')
    .orderBy('id', 'desc')
    .limit(limit + 1)
    .execute();
  return toPage(rows, { limit, maxBytes }, toHealthCheck, (row) => [row.checked_at.toISOString(), row.id]);
}

function toHealthCheck(row: HealthCheckRow): HealthCheck {
  return {
    id: row.id,
    allocationId: row.allocation_id,
    port: row.port,
    host: row.host,
    outcome: row.outcome,
    responseTimeMs: row.response_time_ms,
    error: row.error,
    checkedAt: row.checked_at.toISOString(),
  };
}
