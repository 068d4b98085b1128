import type { Kysely } from 'kysely';
import { LRUCache } from 'lru-cache';
import { AbandonedError, Batcher, type IsAbandoned, LaneFullError } from '../batcher.js';
import { ANONYMOUS, type Caller } from '../caller.js';
import { NotReplicatedError } from '../database/commit.js';
import { isAvailable } from '../database/connect.js';
import { isOutcomeUnknown, toAppError, toRefusal } from '../database/errors.js';
import type { AllocationRow, Tables } from '../database/tables.js';
import type { AppError } from '../errors.js';
import { type Observer, unobserved } from '../observer.js';
import * as refusals from '../refusals.js';
import type { Allocation } from '../schemas/allocation.js';
import { Access, type Intent, type Subject } from './access.js';
import { openFor } from './callers-store.js';
import type { AllocationKey, Outcome, ProjectCommand, ResultOf } from './commands.js';
import { findLowestRows, findRowsById } from './look-ups.js';
import { executeCommands } from './project-transaction.js';

/** Commands that one transaction decides at the most: enough to amortise a commit, little enough to stay short. */
const MAX_COMMANDS = 256;
/** Commands that wait for one project at the most; at 5000 commands a second that is under a second. */
const MAX_WAITING = 4096;
const MAX_LOOK_UPS = 256;
const LOOK_UPS_UNDER_WAY = 2;
/** Of an id and a name each, so some megabytes. */
const MAX_KNOWN_PROJECTS = 20_000;

/** Waits for its turn among the changes of one lane: the project, or what else they wait for. */
export interface Turn {
  lane: string;
  isAbandoned?: IsAbandoned | undefined;
}

/**
 * What repositories work with on behalf of one caller: the database, and the queues in which calls share its round
 * trips. Each call is held to what the caller may do.
 */
export interface Store {
  readonly access: Access;
  readonly observer: Observer;
  /** To read with: a query leaves out what the caller does not see (`access.projects`), or the answer fails as a whole. */
  readonly db: Kysely<Tables>;
  /**
   * Executes a command under its project's lock, together with the commands of other callers that arrived
   * while the transaction before was in flight. One project holds one connection, however busy it is.
   * @throws AppError the command's own refusal; forbidden; project-busy when too many wait
   */
  execute<C extends ProjectCommand>(project: string, command: C, isAbandoned?: IsAbandoned): Promise<ResultOf<C>>;
  /**
   * Changes what no command does. With a turn it does one piece of work at a time per lane, for changes that take a
   * project's lock in a transaction of their own: however many wait, they hold one connection beside that of `execute`.
   * @param work gets the database to write with, unguarded
   * @throws AppError what `work` throws; forbidden; project-busy when too many wait
   */
  change<T>(subject: Subject, work: (db: Kysely<Tables>) => Promise<T>, turn?: Turn): Promise<T>;
  /** The row of the lowest port that the key holds; look-ups that arrive together share one query. */
  findLowestRow(key: AllocationKey): Promise<AllocationRow | null>;
  /** The row of an id, active or released; shared in the same way. */
  findRow(id: string): Promise<AllocationRow | null>;
  /**
   * The project of an allocation's id, whose lane its changes go through. Of ids that were allocated here lately it is
   * known without a look-up: it never changes. Whether the row is still there, the lane sees.
   */
  findProject(id: string): Promise<string | null>;
}

/** What all callers share. By itself it may do everything. */
export interface SharedStore extends Store {
  /**
   * The store as far as a caller may use it.
   * @throws AppError unauthorized, forbidden
   */
  as(caller: Caller, intent: Intent): Store;
  /** Whether the database answers now; bounded in time. */
  isAvailable(): Promise<boolean>;
}

/** @param maxBatch 1 does one transaction or query per call, for comparison */
export function openStore(
  db: Kysely<Tables>,
  { maxBatch = Number.POSITIVE_INFINITY } = {},
  observer = unobserved,
): SharedStore {
  const onBatch = (queue: string) => (size: number, waited: number) => observer.batched(queue, size, waited);
  const alone = maxBatch === 1;
  const commands = new Batcher<ProjectCommand, Outcome>({
    execute: (project, batch) => executeBatch(db, project, batch, observer),
    onBatch: onBatch('commands'),
    maxBatch: Math.min(MAX_COMMANDS, maxBatch),
    maxQueue: MAX_WAITING,
    concurrency: alone ? Number.POSITIVE_INFINITY : 1,
  });
  const works = new Batcher<() => Promise<unknown>, unknown>({
    execute: (_lane, batch) => Promise.all(batch.map((work) => work())),
    onBatch: onBatch('exclusive'),
    maxBatch: 1,
    maxQueue: MAX_WAITING,
  });
  const lookUps = {
    onBatch: onBatch('look-ups'),
    maxBatch: Math.min(MAX_LOOK_UPS, maxBatch),
    maxQueue: MAX_WAITING,
    concurrency: alone ? Number.POSITIVE_INFINITY : LOOK_UPS_UNDER_WAY,
  };
  const byKey = new Batcher<AllocationKey, PromiseSettledResult<AllocationRow | null>>({
    execute: (_lane, keys) => findEach(keys, (batch) => findLowestRows(db, batch)),
    ...lookUps,
  });
  const byId = new Batcher<string, PromiseSettledResult<AllocationRow | null>>({
    execute: (_lane, ids) => findEach(ids, (batch) => findRowsById(db, batch)),
    ...lookUps,
  });
  const projects = new LRUCache<string, string>({ max: MAX_KNOWN_PROJECTS });
  const shared: SharedStore = {
    access: new Access(ANONYMOUS, 'change'),
    db,
    observer,
    as: (caller, intent) => openFor(shared, caller, intent),
    async execute(project, command, isAbandoned) {
      const outcome = await commands.submit(project, command, isAbandoned).catch(refuseUnexecuted);
      if (!outcome.ok) throw outcome.error;
      const { allocation } = outcome.value as { allocation?: Allocation | null };
      if (allocation) projects.set(allocation.id, allocation.project);
      return outcome.value as ResultOf<typeof command>;
    },
    change: <T>(_subject: Subject, work: (db: Kysely<Tables>) => Promise<T>, turn?: Turn) =>
      turn === undefined
        ? work(db)
        : (works.submit(turn.lane, () => work(db), turn.isAbandoned).catch(refuseUnexecuted) as Promise<T>),
    findLowestRow: (key) => byKey.submit('', key).then(unwrap, refuseLookUp),
    findRow: (id) => byId.submit('', id).then(unwrap, refuseLookUp),
    findProject: async (id) => projects.get(id) ?? (await shared.findRow(id))?.project ?? null,
    isAvailable: () => isAvailable(db),
  };
  return shared;
}

/**
 * One transaction for all. After an unexpected error one for each, so that a command that cannot be executed
 * is alone with its error. After a lost connection nobody knows whether the commit was made: what is
 * idempotent is tried once more, together, and nothing else.
 */
async function executeBatch(
  db: Kysely<Tables>,
  project: string,
  batch: ProjectCommand[],
  observer: Observer,
): Promise<Outcome[]> {
  try {
    return await executeCommands(db, project, batch, observer);
  } catch (error) {
    const refusal = toAppError(error);
    if (refusal?.status === 503 && !isOutcomeUnknown(error)) throw error;
    // A second attempt would wait for the same standby.
    if (error instanceof NotReplicatedError) throw error;
    if (refusal?.code === 'database-unavailable') return repeatIdempotent(db, project, batch, refusal, observer);
    if (batch.length === 1) throw error;
    const outcomes: Outcome[] = [];
    for (const command of batch) outcomes.push(await executeAlone(db, project, command, observer));
    return outcomes;
  }
}

/** Whatever becomes of the second attempt, the first one's outcome stays unknown. */
async function repeatIdempotent(
  db: Kysely<Tables>,
  project: string,
  batch: ProjectCommand[],
  unknown: AppError,
  observer: Observer,
): Promise<Outcome[]> {
  const repeatable = batch.filter(isIdempotent);
  const outcomes =
    repeatable.length > 0 ? await executeCommands(db, project, repeatable, observer).catch(() => []) : [];
  return batch.map((command) => outcomes[repeatable.indexOf(command)] ?? { ok: false, error: unknown });
}

async function executeAlone(
  db: Kysely<Tables>,
  project: string,
  command: ProjectCommand,
  observer: Observer,
): Promise<Outcome> {
  try {
    const [outcome] = await executeCommands(db, project, [command], observer);
    return outcome as Outcome;
  } catch (error) {
    return { ok: false, error: toRefusal(error) };
  }
}

/**
 * Whether executing it twice leaves the same, and answers the same, as executing it once, also when others
 * change things in between.
 */
function isIdempotent(command: ProjectCommand): boolean {
  switch (command.kind) {
    case 'allocate':
    case 'reserve':
      return command.idempotency !== null;
    case 'get-or-allocate':
      return isEmpty(command.details);
    case 'allocate-environment':
      return command.services.every(({ details }) => isEmpty(details));
    case 'adopt':
    case 'release-key':
    case 'release-environment':
      return false; // the second answer would tell of nothing
    case 'renew':
    case 'update':
    case 'update-key':
      return false; // it would undo what someone else was told is done
    default:
      return true;
  }
}

const isEmpty = (details: object) => Object.keys(details).length === 0;

/** One query for all. After an unexpected error one for each, so that what cannot be looked up is alone with its error. */
async function findEach<T, Row>(
  wanted: readonly T[],
  find: (wanted: readonly T[]) => Promise<Row[]>,
): Promise<PromiseSettledResult<Row>[]> {
  try {
    return (await find(wanted)).map((value) => ({ status: 'fulfilled', value }));
  } catch (error) {
    if (wanted.length === 1 || toAppError(error)) throw error;
    return Promise.allSettled(wanted.map(async (one) => (await find([one]))[0] as Row));
  }
}

function unwrap<Row>(result: PromiseSettledResult<Row>): Row {
  if (result.status === 'rejected') throw result.reason;
  return result.value;
}

function refuseLookUp(error: unknown): never {
  if (!(error instanceof LaneFullError)) throw error;
  throw refusals.tooManyLookUpsWait();
}

function refuseUnexecuted(error: unknown): never {
  if (error instanceof AbandonedError) throw refusals.callerGaveUp();
  if (!(error instanceof LaneFullError)) throw error;
  throw refusals.tooManyCallsWait();
}
