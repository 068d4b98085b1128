import type pg from 'pg';
import { greetedProcessId } from './pg-internals.js';

export interface TransactionLimits {
  /** How long a statement waits for a row lock before it fails with SQLSTATE 55P03. */
  lockTimeoutMs: number;
  /** How long one statement may run, and how long a transaction may sit idle between two. */
  statementTimeoutMs: number;
}

/**
 * PostgreSQL compiles a statement to machine code if it expects it to run long. Without statistics, and where
 * sequential scans are switched off, it expects that of short statements too: the counts of `/metrics` took 1.5 s on a
 * new registry, and take 0.6 ms without compilation (PostgreSQL 17, postgres:17-alpine).
 */
const NO_JIT = 'jit = off';

/**
 * BEGIN and the settings of every transaction. The settings are made per transaction and not per session, so that they
 * hold behind a transaction-mode pooler. They go with BEGIN in one simple query, so that they cost no round trip of
 * their own.
 *
 * Allocation depends on READ COMMITTED: a query after the lock has to see what was committed while the lock was waited
 * for.
 */
export function beginStatement({ lockTimeoutMs, statementTimeoutMs }: TransactionLimits): string {
  return [
    'begin isolation level read committed',
    `set local lock_timeout = ${lockTimeoutMs}`,
    `set local statement_timeout = ${statementTimeoutMs}`,
    `set local idle_in_transaction_session_timeout = ${statementTimeoutMs}`,
    // A plan that was made when a table was small is kept, and must not read all of the table when it is large.
    'set local enable_seqscan = off',
    `set local ${NO_JIT}`,
  ].join('; ');
}

const direct = new WeakSet<pg.ClientBase>();

/**
 * Whether PostgreSQL itself is at the other end of the connection, whose session is then ours to set up and to prepare
 * statements in. Behind a pooler such as PgBouncer the next transaction may meet a session that never saw our
 * statement, or has another one of the same name. Known after `setUpConnection`, which PGlite's pool does not call:
 * nothing is prepared there.
 */
export function isDirect(client: pg.ClientBase): boolean {
  return direct.has(client);
}

/**
 * The pool calls this for each new connection. A pooler shows itself by a greeting that has not the server's process
 * id.
 */
export async function setUpConnection(client: pg.ClientBase): Promise<void> {
  const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid');
  if (rows[0]?.pid !== greetedProcessId(client)) return;
  await client.query(`set ${NO_JIT}`);
  direct.add(client);
}
