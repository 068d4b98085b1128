/**
 * How ports are handed out
 * ========================
 *
 * Everything that changes who has a port of a project happens in a transaction of four steps:
 *
 *   1. lock    `select … from port_ranges where project = … order by start_port for update`
 *   2. look    one query that reads what the commands need: look.ts
 *   3. decide  in memory, one command after another, without the database: decide.ts and commands/
 *   4. write   what was decided, and COMMIT: write.ts
 *
 * Any number of processes may do this at the same time. PostgreSQL gives the lock on a project's range rows to one
 * transaction after another, and the SQL functions (`allocate_port()`, `release_port()`) take the same lock, so that the
 * result is always one that could have come about if the callers had come one after another.
 *
 * An example. Port 3199 is the last free one of consilio, and two callers, A and B, ask at once, each through a
 * replica of its own:
 *
 *     A                                      B
 *     begin
 *     lock: granted                          begin
 *     look: 3199 is free                     lock: waits for A
 *     decide: 3199 for A                       ⋮
 *     write: insert 3199, commit               ⋮
 *     → 201, 3199                            lock: granted, because A's transaction has ended
 *                                            look: nothing is free, because 3199 is A's
 *                                            decide: refused with range-exhausted
 *                                            write: nothing, commit
 *                                            → 409 range-exhausted
 *
 * Three things make B's look see A's port, and each of them is easily lost:
 *   - Lock and look are two statements. A statement sees what was committed when it began: if one statement both locked
 *     and looked, B's would have begun before A had written, and B would get 3199 too.
 *   - The isolation is READ COMMITTED, in which each statement sees what is committed by then. In REPEATABLE READ the
 *     whole transaction would see what was committed when it began. The driver allows no other level (driver.ts).
 *   - Ranges are locked in the order of their start ports, always. Two transactions that each held one range of a project and
 *     waited for the other's would wait for ever.
 * Should all of this fail, the unique index on active (host, protocol, port) still refuses the second row.
 *
 * Many commands share one transaction (group commit). Where A and B ask the same replica, B arrives while the
 * transaction of somebody else is under way, waits in the project's queue (../registry/command-queue.ts) and is decided in the
 * next one together with A: A first, and B on the state that A's decision has left, with the same two answers. One commit then serves
 * both, and a project that many ask at once holds one database connection.
 *
 * A transaction takes two round trips to the database: BEGIN, lock and look go out together, and so do writes and COMMIT.
 * PostgreSQL still executes them one after another, so the look begins only when the lock has been granted.
 */
import { type Kysely, type RawBuilder, sql, type Transaction } from 'kysely';
import { compilePrepared, send } from '../database/statements.js';
import type { Tables } from '../database/tables.js';
import { unobserved } from '../observer.js';
import { insertAnswers } from '../repositories/idempotency-keys.js';
import { decideAll, type Outcome, type ProjectCommand } from './decide.js';
import { lockAndLook, look } from './look.js';
import type { RangeBounds } from './port-space.js';
import { type ProjectFacts, ProjectState, type Writes } from './project-state.js';
import { toStatements } from './write.js';

/**
 * Executes commands of one project in one transaction.
 * @returns what became of each, in the same order; a refused command has no effect on the others
 */
export async function executeCommands(
  db: Kysely<Tables>,
  project: string,
  commands: readonly ProjectCommand[],
  observer = unobserved,
): Promise<Outcome[]> {
  const { outcomes, changed, written } = await db.transaction().execute(async (trx) => {
    const lock = compilePrepared(rangeLock(project), trx);
    return decideAndWrite(trx, await lockAndLook(trx, project, lock, commands), commands);
  });
  // Where a write fails COMMIT rolls back and reports no error of its own, so the write's error has to be asked for.
  await written;
  observer.wrote(project, changed);
  return outcomes;
}

/**
 * The same within the transaction of a caller that has locked all of the project's `ranges`.
 * @param options with `dryRun` everything is decided and nothing written
 */
export async function executeLocked(
  trx: Transaction<Tables>,
  project: string,
  ranges: RangeBounds[],
  commands: readonly ProjectCommand[],
  { dryRun }: { dryRun: boolean },
): Promise<Outcome[]> {
  const facts = await look(trx, project, ranges, commands);
  if (dryRun) return decideAll(new ProjectState(facts), commands);
  const { outcomes, written } = await decideAndWrite(trx, facts, commands);
  await written;
  return outcomes;
}

/** Locks all ranges of a project. Waits at most `LOCK_TIMEOUT_MS`. */
export async function lockRanges(trx: Transaction<Tables>, project: string): Promise<void> {
  await rangeLock(project).execute(trx);
}

function rangeLock(project: string): RawBuilder<RangeBounds> {
  return sql`
    select start_port, end_port, reuse_cooldown_seconds from port_ranges
    where project = ${project} order by start_port for update`;
}

/** @returns when the writes have been sent; `written` is rejected if one of them fails */
async function decideAndWrite(trx: Transaction<Tables>, facts: ProjectFacts, commands: readonly ProjectCommand[]) {
  const state = new ProjectState(facts);
  const outcomes = decideAll(state, commands);
  const { answered: written } = await send(trx, toStatements(trx, state.writes, state.now));
  if (state.writes.answers.length > 0) {
    await written;
    await insertAnswers(trx, state.project, state.writes.answers, 201);
  }
  return { outcomes, changed: countChanges(state.writes), written };
}

/** An allocation can be released by a later command of the same transaction; then it is both. */
function countChanges({ inserted, releasedIds }: Writes): { allocated: number; released: number } {
  const insertedAndReleased = [...inserted].filter((row) => row.released_at !== null).length;
  return { allocated: inserted.size, released: releasedIds.length + insertedAndReleased };
}
