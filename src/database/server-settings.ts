import type pg from 'pg';
import { greetedProcessId } from './pg-internals.js';

export interface TransactionLimits {
  /** How long a statement waits for a row lock before it fails with SQLSTATE 55P03. */
  lockTimeoutMs: number;
  /** How long one statement may run, and how long a transaction may sit idle between two. */
  statementTimeoutMs: number;
}

/** The schema of a registry whose configuration names none. */
export const DEFAULT_SCHEMA = 'public';

/**
 * The settings of a session.
 * - The registry's statements name its tables without a schema. An explicit search_path finds them in this registry's
 *   schema, whatever the role, the database or DATABASE_URL say.
 * - PostgreSQL compiles a statement to machine code if it expects it to run long. Without statistics, and where
 *   sequential scans are switched off, it expects that of short statements too: the counts of `/metrics` took 1.5 s on a
 *   new registry, and take 0.6 ms without compilation (PostgreSQL 17, postgres:17-alpine).
 */
const sessionSettings = (schema: string) => [`search_path = "${schema}"`, 'jit = off'];

/**
 * BEGIN and the settings of every transaction. The limits are set per transaction and not per session, so that they
 * hold behind a transaction-mode pooler. They go with BEGIN in one simple query, so that they cost no round trip of
 * their own.
 */
export function beginStatement({ lockTimeoutMs, statementTimeoutMs }: TransactionLimits): string {
  return [
    BEGIN,
    `set local lock_timeout = ${lockTimeoutMs}`,
    `set local statement_timeout = ${statementTimeoutMs}`,
    `set local idle_in_transaction_session_timeout = ${statementTimeoutMs}`,
    // A plan that was made when a table was small is kept, and must not read all of the table when it is large.
    'set local enable_seqscan = off',
  ].join('; ');
}

/**
 * Allocation depends on READ COMMITTED: a query after the lock has to see what was committed while the lock was waited
 * for.
 */
export const BEGIN = 'begin isolation level read committed';

const direct = new WeakSet<pg.ClientBase>();
const pooled = new WeakMap<pg.ClientBase, string>();

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
 * Behind a pooler, statements that make the settings of a session for one transaction. They have to follow every BEGIN,
 * and every statement has to be in a transaction, because the session may be another one each time. Undefined where the
 * session itself was set up, and for PGlite, which needs no settings.
 */
export function settingsOfEachTransaction(client: pg.ClientBase): string | undefined {
  return pooled.get(client);
}

/**
 * The pool calls this for each new connection. A pooler shows itself by a greeting that has not the server's process
 * id.
 */
export async function setUpConnection(client: pg.ClientBase, schema: string): Promise<void> {
  const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid');
  const settings = sessionSettings(schema);
  if (rows[0]?.pid === greetedProcessId(client)) {
    await client.query(settings.map((setting) => `set ${setting}`).join('; '));
    direct.add(client);
  } else {
    pooled.set(client, settings.map((setting) => `set local ${setting}`).join('; '));
  }
}
