import { type CompiledQuery, type RawBuilder, sql, type Transaction } from 'kysely';
import type { Tables } from './tables.js';

type Statements<Rows extends unknown[]> = { [Place in keyof Rows]: CompiledQuery<Rows[Place]> };
type Answers<Rows extends unknown[]> = { [Place in keyof Rows]: Rows[Place][] };

/**
 * Sends statements in one flight, in the order given (pg's pipeline mode). Each begins when the one before has ended,
 * with a snapshot of its own, as if that had been waited for.
 * @returns when they are on their way, so that what the transaction sends next, be it COMMIT, follows in the same
 * flight. `answered` gives the rows of each; it is rejected by the first that fails, and then those behind it
 * fail too, and COMMIT rolls back.
 */
export async function send<Rows extends unknown[]>(
  trx: Transaction<Tables>,
  statements: Statements<Rows>,
): Promise<{ answered: Promise<Answers<Rows>> }> {
  return trx.getExecutor().provideConnection(async (connection) => {
    const answered = Promise.all(statements.map((statement) => connection.executeQuery(statement))).then(
      (results) => results.map(({ rows }) => rows) as Answers<Rows>,
    );
    answered.catch(() => {}); // told to whoever waits for it, which may be later
    return { answered };
  });
}

/** The same, waiting for the rows. */
export async function sendTogether<Rows extends unknown[]>(
  trx: Transaction<Tables>,
  statements: Statements<Rows>,
): Promise<Answers<Rows>> {
  const { answered } = await send(trx, statements);
  return answered;
}

/** A list as one JSON parameter: for an array parameter a statement that stays prepared is planned anew (`PreparingClient`). */
export function textArray(values: readonly string[]): RawBuilder<string[]> {
  return sql`array(select jsonb_array_elements_text(${JSON.stringify(values)}::jsonb))`;
}
