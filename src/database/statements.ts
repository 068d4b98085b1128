import { type CompiledQuery, type Kysely, type QueryResult, type RawBuilder, sql, type Transaction } from 'kysely';
import type { Tables } from './tables.js';

/** Kysely passes this object to the connection unchanged, and with it the mark. */
interface PreparedQuery<T> extends CompiledQuery<T> {
  readonly isPrepared: true;
}

/**
 * Compiles a statement that PostgreSQL parses and plans once on each connection, and keeps. Use it for statements that
 * run all the time, and not for lists with many optional filters: each combination of filters is a statement of its
 * own, and every statement that is kept costs the server memory.
 *
 * Pass lists of ids and keys as one JSON parameter. For an array parameter PostgreSQL expects ten elements in the plan
 * that it would keep, finds that a plan for the actual list of one or two looks cheaper, and so plans anew every time.
 */
export function compilePrepared<T>(statement: RawBuilder<T>, db: Kysely<Tables>): PreparedQuery<T> {
  return { ...statement.compile(db), isPrepared: true };
}

export function executePrepared<T>(db: Kysely<Tables>, statement: RawBuilder<T>): Promise<QueryResult<T>> {
  return db.executeQuery(compilePrepared(statement, db));
}

export function isPrepared(query: CompiledQuery): boolean {
  return 'isPrepared' in query;
}

type Statements<Rows extends unknown[]> = { [Index in keyof Rows]: CompiledQuery<Rows[Index]> };
type Answers<Rows extends unknown[]> = { [Index in keyof Rows]: Rows[Index][] };

/**
 * Sends statements together, in the order given, without waiting for the answer of one before the next is sent.
 * PostgreSQL still executes them one after another: each begins when the one before has ended, and sees what was
 * committed until then.
 * @returns as soon as they are sent, so that what the transaction sends next, COMMIT for example, goes out together
 * with them. `answered` gives the rows of each statement. If one fails, those behind it fail too and COMMIT rolls back;
 * `answered` is then rejected with the error of the first.
 */
export async function send<Rows extends unknown[]>(
  trx: Transaction<Tables>,
  statements: Statements<Rows>,
): Promise<{ answered: Promise<Answers<Rows>> }> {
  return trx.getExecutor().provideConnection(async (connection) => {
    const answered = Promise.all(statements.map((statement) => connection.executeQuery(statement))).then(
      (results) => results.map(({ rows }) => rows) as Answers<Rows>,
    );
    answered.catch(() => {}); // whoever waits for `answered` gets the error, and may begin to wait only later
    return { answered };
  });
}

/** The same, but waits for the rows. */
export async function sendTogether<Rows extends unknown[]>(
  trx: Transaction<Tables>,
  statements: Statements<Rows>,
): Promise<Answers<Rows>> {
  const { answered } = await send(trx, statements);
  return answered;
}

/** A list as one JSON parameter, for prepared statements: `compilePrepared` says why. */
export function textArray(values: readonly string[]): RawBuilder<string[]> {
  return sql`array(select jsonb_array_elements_text(${JSON.stringify(values)}::jsonb))`;
}
