import { type Kysely, type RawBuilder, sql, type Transaction } from 'kysely';
import type { HealthCheckRow, Tables } from '../database/tables.js';
import * as refusals from '../refusals.js';
import type { Allocation } from '../schemas/allocation.js';
import type { HealthCheck, HealthCheckQuery } from '../schemas/health-check.js';
import { findAllocation } from './allocations.js';
import type { IdempotencyClaim } from './commands.js';
import { findAnswer, insertAnswers } from './idempotency.js';
import { decodeCursor, isTime, isUuid, type Page, toPage } from './pages.js';
import { lockRanges } from './project-transaction.js';
import { toHealthCheck } from './rows.js';
import type { Store } from './store.js';

/** What a probe of an allocation found. */
export type NewHealthCheck = Omit<HealthCheck, 'id' | 'checkedAt'>;

/**
 * The allocation, if it holds something that a TCP connection can tell about.
 * @throws AppError allocation-not-found, not-probeable
 */
export async function findProbeable(store: Store, id: string): Promise<Allocation> {
  const allocation = await findAllocation(store, id);
  if (allocation.releasedAt !== null) throw refusals.releasedNotProbeable(allocation);
  if (allocation.protocol !== 'tcp') throw refusals.udpNotProbeable(id);
  return allocation;
}

/**
 * Stores one check and moves the allocation's status: open → `in_use`, refused → `allocated`. A timeout
 * and an unreachable host say nothing about the service and leave it.
 * @throws AppError idempotency-key-reused, forbidden
 */
export function insertHealthCheck(
  store: Store,
  project: string,
  check: NewHealthCheck,
  claim: IdempotencyClaim | null,
): Promise<{ healthCheck: HealthCheck; replayed: boolean }> {
  const insert = (trx: Transaction<Tables>) => insertWithAnswer(trx, project, check, claim);
  const work = (db: Kysely<Tables>) => db.transaction().execute(insert);
  // With a claim it waits for the project's lock, and then for its turn among those who do.
  return store.change({ project }, work, claim ? { lane: project } : undefined);
}

async function insertWithAnswer(
  trx: Transaction<Tables>,
  project: string,
  check: NewHealthCheck,
  claim: IdempotencyClaim | null,
): Promise<{ healthCheck: HealthCheck; replayed: boolean }> {
  if (claim) await lockRanges(trx, project); // callers with one key wait here for one another
  const answer = claim && (await findAnswer(trx, project, claim));
  if (answer) return { healthCheck: answer as HealthCheck, replayed: true };
  await trx.selectFrom('port_allocations').select('id').where('id', '=', check.allocationId).forNoKeyUpdate().execute();
  const { rows } = await sql<HealthCheckRow>`${insertion([check])} select * from inserted`.execute(trx);
  const healthCheck = toHealthCheck(rows[0] as HealthCheckRow);
  if (claim) await insertAnswers(trx, project, [{ ...claim, response: healthCheck }], 201);
  return { healthCheck, replayed: false };
}

/**
 * Stores checks and moves the statuses of those that are still held; a released allocation keeps its check
 * as history and is not resurrected.
 * @throws AppError forbidden
 */
export function insertHealthChecks(store: Store, checks: readonly NewHealthCheck[]): Promise<void> {
  const statement = sql`${insertion(checks)} select from inserted limit 1`;
  return store.change('audits', async (db) => {
    await db.transaction().execute((trx) => statement.execute(trx));
  });
}

/**
 * One statement for all; what follows it says what to answer. It skips rows that someone else is changing
 * at this very moment: waiting for them in an order that differs from theirs would be a deadlock, and the
 * next check says the same again.
 */
function insertion(checks: readonly NewHealthCheck[]): RawBuilder<unknown> {
  return sql`
    with checked as (
      select c.*, clock_timestamp()::timestamptz(3) as checked_at
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
      insert into port_health_checks (allocation_id, port, host, outcome, response_time_ms, error, checked_at)
      select "allocationId", port, host, outcome, "responseTimeMs", error, checked_at from checked
      returning *
    )`;
}

/**
 * Newest first.
 * @throws AppError allocation-not-found
 */
export async function listHealthChecks(
  store: Store,
  allocationId: string,
  { limit = 100, cursor }: HealthCheckQuery,
): Promise<Page<HealthCheck>> {
  const before = decodeCursor(cursor, isTime, isUuid);
  await findAllocation(store, allocationId);
  const rows = await store.db
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
  return toPage(rows, limit, toHealthCheck, (row) => [row.checked_at.toISOString(), row.id]);
}
