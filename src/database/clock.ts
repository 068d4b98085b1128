import { type Kysely, sql } from 'kysely';
import type { Tables } from './tables.js';

/** The database's clock at this moment, to the millisecond, as times are stored. `now()` would be the time of BEGIN. */
export async function readClock(trx: Kysely<Tables>): Promise<Date> {
  const { rows } = await sql<{ now: Date }>`select clock_timestamp()::timestamptz(3) as now`.execute(trx);
  return (rows[0] as { now: Date }).now;
}

/**
 * When the statement began, by the database's clock, to the millisecond, as times are stored. All that one statement
 * compares with it is of one moment, while `clock_timestamp()` differs from row to row. A statement that follows a lock
 * begins when the lock has been taken.
 */
export const statementTime = sql<Date>`statement_timestamp()::timestamptz(3)`;
