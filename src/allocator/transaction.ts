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
 * transaction after another, and the SQL functions (`allocate_port()`, `release_port()`) take the same lock. So the
 * result is always one that could have come about if the callers had come one after another.
 *
 * An example. Port 3199 is the last free one of consilio, and two callers, A and B, ask at once, each through a replica
 * of its own:
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
 * Two things make B's look see what A wrote, and both are easily lost:
 *   - Lock and look are two statements. A statement sees what was committed when it began. If one statement both locked
 *     and looked, it would have begun before A had written, and B would decide for 3199 too.
 *   - The isolation is READ COMMITTED, in which each statement sees what is committed by then. In REPEATABLE READ the
 *     whole transaction would see what was committed when it began. Every transaction begins with this level
 *     (../database/server-settings.ts).
 * If both were lost, the unique index on active (host, protocol, port) would still refuse B's row: B would get an error
 * that asks it to try again, and not a port that A has.
 *
 * A project may have several ranges, and an import locks those of several projects. They are always locked in the order
 * of their start ports. Otherwise two transactions could each hold one range and wait for the other's for ever.
 *
 * Many commands share one transaction (group commit). While a transaction of a project is under way, the commands that
 * arrive for the same project wait in its queue (../registry/queues/command-queue.ts), and the next transaction decides
 * all of them in the order of their arrival. Where A and B ask the same replica, this gives the same answers: either
 * both are in one batch, and B is decided on the state that A's decision has left; or A's transaction is under way
 * already, and the next one looks for B when A has port 3199. One commit serves many callers.
 *
 * A command may give its project the first range (`firstRange`). Where the look finds ranges, that costs nothing. Where
 * it finds none and the batch has such a command, the transaction ends, and another one begins that also locks the
 * creations of ranges and inserts a range before it looks: new-range.ts. The commands are then decided in their order
 * as ever. Those before the first one that gets a port by creating the project are refused with project-not-found, and
 * those behind it find the project. If no command creates it, the range is taken back.
 *
 * BEGIN, lock and look are sent together, and so are the writes and COMMIT, so that the usual transaction waits for the
 * database twice. PostgreSQL still executes the statements one after another: the look begins when the lock has been
 * granted.
 *
 * What if …
 *   - the process is killed before COMMIT has reached PostgreSQL? The connection is gone, PostgreSQL rolls back and
 *     gives up the lock, and the port is free. If COMMIT has arrived, the port is allocated although nobody was told,
 *     and the same PUT answers it the next time.
 *   - the connection is lost while COMMIT is under way? Nobody knows the outcome: ../registry/queues/retry.ts.
 *   - A leaves while it waits in the queue? Its command is dropped, and B gets the port. Once the batch of A has
 *     started, its command is executed.
 */
import { type Kysely, type RawBuilder, sql, type Transaction } from 'kysely';
import { SERVICE } from '../access/actor.js';
import { UNLIMITED } from '../config/project-limits.js';
import { actingAs } from '../database/actors.js';
import { toAppError } from '../database/errors.js';
import { compilePrepared, send } from '../database/statements.js';
import type { Tables } from '../database/tables.js';
import { type Observer, unobserved } from '../observer.js';
import { insertAnswers } from '../repositories/idempotency-keys.js';
import { hasRange } from '../repositories/ranges.js';
import { decideAll, needsOf, type Outcome, type ProjectCommand } from './decide.js';
import { Allowances } from './limits/allowances.js';
import { type Bounds, lockAndLook, look } from './look.js';
import { type FirstRange, insertNewRange, lockCreations } from './new-range.js';
import type { RangeBounds } from './port-space.js';
import { type ProjectFacts, ProjectState } from './project-state.js';
import { FreePortMemory, type Machine, NO_MACHINE, requireTried, Trials, UntriedPortsError } from './trials.js';
import { toStatements } from './write.js';
import type { Round, Writes } from './writes.js';

/** How often to look again when others create and delete the project's only range meanwhile, or take the free block. */
const MAX_LOOKS = 3;

export interface ExecutionOptions {
  observer: Observer;
  allowances: Allowances;
  /** Lets one transaction after another of this process wait for the lock of creations. */
  creations: <T>(work: () => Promise<T>) => Promise<T>;
  machine: Machine;
  memory: FreePortMemory;
}

const DEFAULTS: ExecutionOptions = {
  observer: unobserved,
  allowances: new Allowances(UNLIMITED),
  creations: (work) => work(),
  machine: NO_MACHINE,
  memory: new FreePortMemory(),
};

/**
 * Executes commands of one project in one transaction.
 * @returns what became of each, in the same order; a refused command has no effect on the others
 */
export async function executeCommands(
  db: Kysely<Tables>,
  project: string,
  commands: readonly ProjectCommand[],
  options: ExecutionOptions = DEFAULTS,
): Promise<Outcome[]> {
  const trials = new Trials(options.machine);
  await trials.tryExpected(project, commands.map(needsOf), options.memory);
  for (;;) {
    try {
      return await executeTried(db, project, commands, options, trials);
    } catch (error) {
      if (!(error instanceof UntriedPortsError)) throw error;
      await trials.tryAgain(error);
    }
  }
}

/** @throws UntriedPortsError nothing was done then */
async function executeTried(
  db: Kysely<Tables>,
  project: string,
  commands: readonly ProjectCommand[],
  { observer, allowances, creations, memory }: ExecutionOptions,
  trials: Trials,
): Promise<Outcome[]> {
  const bounds = { allowances, trials };
  const creating = commands.find(hasFirstRange);
  for (let looks = 1; ; looks++) {
    const mayCreate = looks < MAX_LOOKS ? creating : undefined;
    const executed =
      (await executeOnce(db, project, commands, bounds, mayCreate !== undefined)) ??
      (mayCreate && (await creations(() => createAndExecute(db, project, commands, bounds, mayCreate))));
    if (!executed) continue;
    // COMMIT after a failed statement is a successful ROLLBACK to PostgreSQL, so the error has to be taken from the
    // writes.
    await executed.written;
    observer.wrote(project, executed.changed);
    trials.remember(project, executed.spaces, memory);
    return executed.outcomes;
  }
}

/** @returns null if the project has no range and `mayCreate`. Nothing was done then. */
function executeOnce(
  db: Kysely<Tables>,
  project: string,
  commands: readonly ProjectCommand[],
  bounds: Bounds,
  mayCreate: boolean,
) {
  return db.transaction().execute(async (trx) => {
    const lock = compilePrepared(rangeLock(project), trx);
    const facts = await lockAndLook(trx, project, lock, commands, bounds);
    return mayCreate && facts.ranges.length === 0 ? null : decideAndWrite(trx, facts, commands);
  });
}

/**
 * The same for a project that has no range. Gives it one, and takes it back if no command creates the project.
 * @returns null if it has a range by now, or somebody at a `psql` prompt has taken the block. Nothing was done then.
 * @throws AppError no-free-block
 */
function createAndExecute(
  db: Kysely<Tables>,
  project: string,
  commands: readonly ProjectCommand[],
  bounds: Bounds,
  { firstRange, by = SERVICE }: Creating,
) {
  const transaction = actingAs(db, by, async (trx) => {
    await lockCreations(trx);
    if (await hasRange(trx, project)) return null;
    await sql`savepoint first_range`.execute(trx);
    await insertNewRange(trx, { project }, firstRange);
    const lock = compilePrepared(rangeLock(project), trx);
    const facts = await lockAndLook(trx, project, lock, commands, bounds);
    return decideAndWrite(trx, { ...facts, isNew: true }, commands);
  });
  return transaction.catch((error) => {
    if (toAppError(error)?.code === 'range-overlap') return null;
    throw error;
  });
}

type Creating = ProjectCommand & { firstRange: FirstRange };

const hasFirstRange = (command: ProjectCommand): command is Creating =>
  'firstRange' in command && command.firstRange !== undefined;

/**
 * The same within the transaction of a caller that has locked all of the project's `ranges`.
 * @param options with `dryRun` everything is decided and nothing written
 */
export async function executeLocked(
  trx: Transaction<Tables>,
  project: string,
  ranges: RangeBounds[],
  commands: readonly ProjectCommand[],
  { dryRun, allowances }: { dryRun: boolean; allowances: Allowances },
): Promise<Outcome[]> {
  const facts = await look(trx, project, ranges, commands, { allowances, trials: new Trials(NO_MACHINE) });
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

/**
 * @returns when the writes have been sent; `written` is rejected if one of them fails
 * @throws UntriedPortsError
 */
async function decideAndWrite(trx: Transaction<Tables>, facts: ProjectFacts, commands: readonly ProjectCommand[]) {
  const state = new ProjectState(facts);
  const outcomes = decideAll(state, commands);
  requireTried(state.spaces);
  if (facts.isNew && !state.isThere) await sql`rollback to savepoint first_range`.execute(trx);
  const { answered: written } = await send(trx, toStatements(trx, state));
  if (state.writes.answers.length > 0) {
    await written; // or a write that failed would be reported as the error of the statement after it
    await insertAnswers(trx, state.project, state.writes.answers);
  }
  return { outcomes, changed: countChanges(state.writes), spaces: state.spaces, written };
}

/** An allocation that a later command of the same transaction released counts as allocated and as released. */
function countChanges({ rounds }: Writes): { allocated: number; released: number } {
  const count = (part: (round: Round) => number) => rounds.reduce((sum, round) => sum + part(round), 0);
  return { allocated: count(({ inserted }) => inserted.size), released: count(({ released }) => released.size) };
}
