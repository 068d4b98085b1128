import { type Kysely, sql, type Transaction } from 'kysely';
import type { AllocationRow, ReservationRow, Tables } from '../database/tables.js';
import { unobserved } from '../observer.js';
import type { Outcome, ProjectCommand } from './commands.js';
import type { Writes } from './holdings.js';
import { insertAnswers } from './idempotency.js';
import { Ledger } from './ledger.js';
import { type LockedRange, look } from './snapshot.js';

/**
 * Executes commands of one project in one transaction: lock the project's range rows, then look, then
 * decide each command in the order given, then write.
 *
 * Every process takes the same row locks (in the order of `start_port`, as the SQL functions do), so that
 * the result is as if the commands of all callers had come one after another. The look-up is a statement
 * of its own, after the lock: one statement would take its snapshot before it waits.
 * @returns one outcome per command, in the same order; a refusal is an outcome and touches no other
 */
export async function executeCommands(
  db: Kysely<Tables>,
  project: string,
  commands: readonly ProjectCommand[],
  observer = unobserved,
): Promise<Outcome[]> {
  const { outcomes, changed } = await db.transaction().execute(async (trx) => {
    const ranges = await lockRanges(trx, project);
    return executeLocked(trx, project, ranges, commands);
  });
  observer.wrote(project, changed); // not before it is committed
  return outcomes;
}

/**
 * The same, by whoever holds the locks of all the project's `ranges`; `dryRun` decides and writes nothing.
 * @returns the outcomes, and how many allocations were made and released
 */
export async function executeLocked(
  trx: Transaction<Tables>,
  project: string,
  ranges: LockedRange[],
  commands: readonly ProjectCommand[],
  { dryRun = false } = {},
): Promise<{ outcomes: Outcome[]; changed: { allocated: number; released: number } }> {
  const snapshot = await look(trx, project, ranges, commands);
  const ledger = new Ledger(snapshot);
  const outcomes = commands.map((command) => ledger.decide(command));
  if (!dryRun) await write(trx, project, ledger.writes, snapshot.now);
  const { inserted, releasedIds } = ledger.writes;
  const gone = [...inserted].filter((row) => row.released_at !== null).length; // by a later command of this very batch
  return { outcomes, changed: { allocated: inserted.size, released: releasedIds.length + gone } };
}

/** Waits at most `LOCK_TIMEOUT_MS`. Empty for a project without ranges. */
export function lockRanges(trx: Transaction<Tables>, project: string): Promise<LockedRange[]> {
  return trx
    .selectFrom('port_ranges')
    .modifyFront(sql`/* prepared */`)
    .select(['start_port', 'end_port', 'reuse_cooldown_seconds'])
    .where('project', '=', project)
    .orderBy('start_port')
    .forUpdate()
    .execute();
}

async function write(trx: Transaction<Tables>, project: string, writes: Writes, now: Date): Promise<void> {
  // In this order: a port released here may be taken again by a row inserted here.
  if (writes.releasedIds.length > 0) {
    await sql`
      /* prepared */ update port_allocations set status = 'released', released_at = ${now}, updated_at = ${now}
      where id = any(${writes.releasedIds}::uuid[])`.execute(trx);
  }
  if (writes.inserted.size > 0) {
    await sql`
      /* prepared */ insert into port_allocations (
        id, port, project, service, environment, host, protocol, status, service_type, description,
        cloudflare_hostname, metadata, allocated_at, last_used_at, released_at, updated_at)
      select
        id, port, project, service, environment, host, protocol, status, service_type, description,
        cloudflare_hostname, metadata, allocated_at, last_used_at, released_at, updated_at
      from jsonb_populate_recordset(null::port_allocations, ${toJson(writes.inserted)}::jsonb)`.execute(trx);
  }
  if (writes.updated.size > 0) {
    await sql`
      update port_allocations a
      set service_type = u.service_type, description = u.description,
          cloudflare_hostname = u.cloudflare_hostname, metadata = u.metadata, updated_at = u.updated_at
      from jsonb_populate_recordset(null::port_allocations, ${toJson(writes.updated)}::jsonb) u
      where a.id = u.id`.execute(trx);
  }
  // After the allocations, which a claimed one refers to.
  if (writes.changedReservations.size > 0) await updateReservations(trx, writes.changedReservations);
  if (writes.insertedReservations.size > 0) await insertReservations(trx, writes.insertedReservations, now);
  if (writes.answers.length > 0) await insertAnswers(trx, project, writes.answers, 201);
}

/** Sets the whole state: a sweep that has just found a row expired loses to who renewed it in time. */
async function updateReservations(trx: Transaction<Tables>, rows: Set<ReservationRow>): Promise<void> {
  await sql`
    update port_reservations v
    set status = u.status, expires_at = u.expires_at, ended_at = u.ended_at, allocation_id = u.allocation_id
    from jsonb_populate_recordset(null::port_reservations, ${toJson(rows)}::jsonb) u
    where v.id = u.id`.execute(trx);
}

/** An expired reservation that no sweep has met yet still has its place in the unique index: it goes first. */
async function insertReservations(trx: Transaction<Tables>, rows: Set<ReservationRow>, now: Date): Promise<void> {
  await sql`
    update port_reservations v set status = 'expired', ended_at = v.expires_at
    from jsonb_populate_recordset(null::port_reservations, ${toJson(rows)}::jsonb) n
    where v.status = 'active' and v.expires_at <= ${now}
      and v.host = n.host and v.protocol = n.protocol and v.port = n.port`.execute(trx);
  await sql`
    insert into port_reservations (
      id, port, project, service, host, protocol, reserved_by, reason, created_at, expires_at, ended_at,
      status, allocation_id)
    select
      id, port, project, service, host, protocol, reserved_by, reason, created_at, expires_at, ended_at,
      status, allocation_id
    from jsonb_populate_recordset(null::port_reservations, ${toJson(rows)}::jsonb)`.execute(trx);
}

const toJson = (rows: Iterable<AllocationRow | ReservationRow>) => JSON.stringify([...rows]);
