import type { Kysely } from 'kysely';
import { isRepeatable, type Outcome, type ProjectCommand } from '../../allocator/decide.js';
import { type ExecutionOptions, executeCommands } from '../../allocator/transaction.js';
import { isOutcomeUnknown, NotReplicatedError, toAppError, toRefusal } from '../../database/errors.js';
import type { Tables } from '../../database/tables.js';
import type { AppError } from '../../errors.js';

/**
 * What becomes of a batch of commands whose transaction failed with `error`.
 *
 * - Where nothing was done (the database is away or busy), every command gets the error.
 * - Where the connection was lost during the commit, nobody knows whether it was made. Commands that may be repeated
 *   are executed once more, together; the others are told that the outcome is unknown.
 * - Any other error comes from one of the commands: PostgreSQL refuses what it would write, for example. Each command
 *   then gets a transaction of its own, so that only this one gets the error.
 * @throws the error, where every command gets it
 */
export async function retryBatch(
  error: unknown,
  db: Kysely<Tables>,
  project: string,
  batch: ProjectCommand[],
  options: ExecutionOptions,
): Promise<Outcome[]> {
  const refusal = toAppError(error);
  if (refusal?.status === 503 && !isOutcomeUnknown(error)) throw error;
  if (error instanceof NotReplicatedError) throw error; // a second attempt would wait for the same standby
  // Of the errors with 503 only the unknown outcomes are left here.
  if (refusal?.code === 'database-unavailable') return repeatRepeatable(db, project, batch, refusal, options);
  if (batch.length === 1) throw error;
  const outcomes: Outcome[] = [];
  for (const command of batch) outcomes.push(await executeAlone(db, project, command, options));
  return outcomes;
}

/** @param outcomeUnknown what the other commands get, and all of them if the second attempt fails too */
async function repeatRepeatable(
  db: Kysely<Tables>,
  project: string,
  batch: ProjectCommand[],
  outcomeUnknown: AppError,
  options: ExecutionOptions,
): Promise<Outcome[]> {
  const repeatable = batch.filter(isRepeatable);
  const outcomes = repeatable.length > 0 ? await executeCommands(db, project, repeatable, options).catch(() => []) : [];
  return batch.map((command) => outcomes[repeatable.indexOf(command)] ?? { ok: false, error: outcomeUnknown });
}

async function executeAlone(
  db: Kysely<Tables>,
  project: string,
  command: ProjectCommand,
  options: ExecutionOptions,
): Promise<Outcome> {
  try {
    const [outcome] = await executeCommands(db, project, [command], options);
    return outcome as Outcome;
  } catch (error) {
    return { ok: false, error: toRefusal(error) };
  }
}
