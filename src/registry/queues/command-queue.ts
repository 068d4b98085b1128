import type { Kysely } from 'kysely';
import pLimit from 'p-limit';
import type { Outcome, ProjectCommand, ResultOf } from '../../allocator/decide.js';
import { type ExecutionOptions, executeCommands } from '../../allocator/transaction.js';
import { FreePortMemory } from '../../allocator/trials.js';
import type { Tables } from '../../database/tables.js';
import { MAX_WAITING, refuseUnexecuted } from '../limits.js';
import { Batcher, type IsAbandoned } from './batcher.js';
import { retryBatch } from './retry.js';

/** The most commands that one transaction decides: enough to share a commit, and few enough that it stays short. */
const MAX_COMMANDS = 256;

/**
 * A queue of commands for each project. Those that arrive while a transaction of the project is under way are decided
 * together by the next one, so that in this process a project uses one database connection for commands, however many
 * ask.
 */
export class CommandQueue {
  readonly #batcher: Batcher<ProjectCommand, Outcome>;

  /** @param maxBatch 1 gives each command a transaction of its own, for comparison */
  constructor(
    db: Kysely<Tables>,
    shared: Pick<ExecutionOptions, 'observer' | 'allowances' | 'machine'>,
    maxBatch: number,
  ) {
    const { observer } = shared;
    const options = { ...shared, creations: pLimit(1), memory: new FreePortMemory() };
    this.#batcher = new Batcher({
      execute: (project, batch) =>
        executeCommands(db, project, batch, options).catch((error) => retryBatch(error, db, project, batch, options)),
      onBatch: (size, waited) => observer.batched('commands', size, waited),
      maxBatch: Math.min(MAX_COMMANDS, maxBatch),
      maxQueue: MAX_WAITING,
      concurrency: maxBatch === 1 ? Number.POSITIVE_INFINITY : 1,
    });
  }

  /**
   * @throws AppError the command's own refusal; project-busy when too many wait; overloaded when its caller has left
   */
  async execute<C extends ProjectCommand>(
    project: string,
    command: C,
    isAbandoned?: IsAbandoned,
  ): Promise<ResultOf<C>> {
    const outcome = await this.#batcher.submit(project, command, isAbandoned).catch(refuseUnexecuted);
    if (!outcome.ok) throw outcome.error;
    return outcome.value as ResultOf<C>;
  }
}
