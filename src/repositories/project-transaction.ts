import { type CompiledQuery, type Kysely, type RawBuilder, sql, type Transaction } from 'kysely';
import { send, textArray } from '../database/pipeline.js';
import { compilePrepared, executePrepared } from '../database/prepared-statements.js';
import type { AllocationRow, ReservationRow, Tables } from '../database/tables.js';
import { unobserved } from '../observer.js';
import type { Outcome, ProjectCommand } from './commands.js';
import type { Writes } from './holdings.js';
import { insertAnswers } from './idempotency.js';
import { Ledger } from './ledger.js';
import { type LockedRange, lockAndLook, look, type Snapshot } from './snapshot.js';

/**
 * Executes commands of one project in one transaction: lock the project's range rows, then look, then
 * decide each command in the order given, then write. Two flights: the look goes out behind the lock, and COMMIT
 * behind the writes, without waiting in between.
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
  const { outcomes, changed, written } = await db.transaction().execute(async (trx) => {
    const snapshot = await lockAndLook(trx, project, compilePrepared(rangeLock(project), trx), commands);
    return executeSeen(trx, snapshot, commands);
  });
  await written; // after a write that failed COMMIT rolled back, without an error of its own
  observer.wrote(project, changed); // not before it is committed
  return outcomes;
}

/** The same, by whoever holds the locks of all the project's `ranges`; `dryRun` decides and writes nothing. */
export async function executeLocked(
  trx: Transaction<Tables>,
  project: string,
  ranges: LockedRange[],
  commands: readonly ProjectCommand[],
  { dryRun }: { dryRun: boolean },
): Promise<Outcome[]> {
  const { outcomes, written } = await executeSeen(trx, await look(trx, project, ranges, commands), commands, dryRun);
  await written;
  return outcomes;
}

interface Execution {
  outcomes: Outcome[];
  /** How many allocations were made and released. */
  changed: { allocated: number; released: number };
  /** The writes are on their way; they hold if this is fulfilled and the transaction was committed. */
  written: Promise<unknown>;
}

async function executeSeen(
  trx: Transaction<Tables>,
  snapshot: Snapshot,
  commands: readonly ProjectCommand[],
  dryRun = false,
): Promise<Execution> {
  const ledger = new Ledger(snapshot);
  const outcomes = commands.map((command) => ledger.decide(command));
  const { inserted, releasedIds, answers } = ledger.writes;
  const gone = [...inserted].filter((row) => row.released_at !== null).length; // by a later command of this very batch
  const changed = { allocated: inserted.size, released: releasedIds.length + gone };
  if (dryRun) return { outcomes, changed, written: Promise.resolve() };
  const { answered: written } = await send(trx, writesOf(trx, ledger.writes, snapshot.now));
  if (answers.length > 0) {
    await written;
    await insertAnswers(trx, snapshot.project, answers, 201);
  }
  return { outcomes, changed, written };
}

/** Waits at most `LOCK_TIMEOUT_MS`. Empty for a project without ranges. */
export async function lockRanges(trx: Transaction<Tables>, project: string): Promise<LockedRange[]> {
  return (await executePrepared(trx, rangeLock(project))).rows;
}

function rangeLock(project: string): RawBuilder<LockedRange> {
  return sql`
    select start_port, end_port, reuse_cooldown_seconds from port_ranges
    where project = ${project} order by start_port for update`;
}

/** In this order: a port released here may be taken again by a row inserted here. */
function writesOf(trx: Transaction<Tables>, writes: Writes, now: Date): CompiledQuery[] {
  const statements: CompiledQuery[] = [];
  if (writes.releasedIds.length > 0) {
    const release = sql`
      update port_allocations set status = 'released', released_at = ${now}, updated_at = ${now}
      where id = any(${textArray(writes.releasedIds)}::uuid[])`;
    statements.push(compilePrepared(release, trx));
  }
  if (writes.inserted.size > 0) {
    const insert = sql`
      insert into port_allocations (
        id, port, project, service, environment, host, protocol, status, service_type, description,
        cloudflare_hostname, metadata, allocated_at, last_used_at, released_at, updated_at)
      select
        id, port, project, service, environment, host, protocol, status, service_type, description,
        cloudflare_hostname, metadata, allocated_at, last_used_at, released_at, updated_at
      from jsonb_populate_recordset(null::port_allocations, ${toJson(writes.inserted)}::jsonb)`;
    statements.push(compilePrepared(insert, trx));
  }
  if (writes.updated.size > 0) {
    const update = sql`
      update port_allocations a
      set service_type = u.service_type, description = u.description,
          cloudflare_hostname = u.cloudflare_hostname, metadata = u.metadata, updated_at = u.updated_at
      from jsonb_populate_recordset(null::port_allocations, ${toJson(writes.updated)}::jsonb) u
      where a.id = u.id`;
    statements.push(update.compile(trx));
  }
  // After the allocations, which a claimed one refers to.
  if (writes.changedReservations.size > 0) statements.push(reservationUpdate(writes.changedReservations).compile(trx));
  if (writes.insertedReservations.size > 0) {
    statements.push(...reservationInserts(writes.insertedReservations, now).map((insert) => insert.compile(trx)));
  }
  return statements;
}

/** Sets the whole state: a sweep that has just found a row expired loses to who renewed it in time. */
function reservationUpdate(rows: Set<ReservationRow>): RawBuilder<unknown> {
  return sql`
    update port_reservations v
    set status = u.status, expires_at = u.expires_at, ended_at = u.ended_at, allocation_id = u.allocation_id
    from jsonb_populate_recordset(null::port_reservations, ${toJson(rows)}::jsonb) u
    where v.id = u.id`;
}

/** An expired reservation that no sweep has met yet still has its place in the unique index: it goes first. */
function reservationInserts(rows: Set<ReservationRow>, now: Date): RawBuilder<unknown>[] {
  const endExpired = sql`
    update port_reservations v set status = 'expired', ended_at = v.expires_at
    from jsonb_populate_recordset(null::port_reservations, ${toJson(rows)}::jsonb) n
    where v.status = 'active' and v.expires_at <= ${now}
      and v.host = n.host and v.protocol = n.protocol and v.port = n.port`;
  const insert = sql`
    insert into port_reservations (
      id, port, project, service, host, protocol, reserved_by, reason, created_at, expires_at, ended_at,
      status, allocation_id)
    select
      id, port, project, service, host, protocol, reserved_by, reason, created_at, expires_at, ended_at,
      status, allocation_id
    from jsonb_populate_recordset(null::port_reservations, ${toJson(rows)}::jsonb)`;
  return [endExpired, insert];
}

const toJson = (rows: Iterable<AllocationRow | ReservationRow>) => JSON.stringify([...rows]);
