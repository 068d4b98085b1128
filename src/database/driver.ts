import type { Socket } from 'node:net';
import {
  CompiledQuery,
  type DatabaseConnection,
  type DialectAdapter,
  type Driver,
  type Kysely,
  PostgresAdapter,
  PostgresDialect,
  PostgresDriver,
  type PostgresPool,
  sql,
} from 'kysely';
import pg from 'pg';

interface TransactionLimits {
  /** How long a statement waits for a row lock before it fails with SQLSTATE 55P03. */
  lockTimeoutMs: number;
  /** How long one statement may run, and how long a transaction may sit idle between two. */
  statementTimeoutMs: number;
}

/**
 * Without statistics, or where it is to do without sequential scans, PostgreSQL takes short statements for long ones and
 * compiles them: the counts of `/metrics` took 1.5 s on a new registry, and take 0.6 ms (PostgreSQL 17, postgres:17-alpine).
 */
const NO_JIT = 'jit = off';

/**
 * Kysely's PostgreSQL dialect whose every transaction is READ COMMITTED and bounded in time.
 *
 * Allocation depends on READ COMMITTED (a look-up after the lock must see what was committed while it
 * waited), so no caller chooses. The limits are set per transaction and not per session, so that they
 * hold behind a transaction-mode pooler; one simple query carries them all, so that they cost no
 * round trip beyond that of BEGIN.
 */
export class ReadCommittedDialect extends PostgresDialect {
  readonly #pool: PostgresPool;
  readonly #begin: string;

  constructor(pool: PostgresPool, { lockTimeoutMs, statementTimeoutMs }: TransactionLimits) {
    super({ pool });
    this.#pool = pool;
    this.#begin = [
      'begin isolation level read committed',
      `set local lock_timeout = ${lockTimeoutMs}`,
      `set local statement_timeout = ${statementTimeoutMs}`,
      `set local idle_in_transaction_session_timeout = ${statementTimeoutMs}`,
      // Plans are kept: one made on a small table must not go on reading all of a large one.
      'set local enable_seqscan = off',
      `set local ${NO_JIT}`,
    ].join('; ');
  }

  override createDriver(): Driver {
    return new ReadCommittedDriver(this.#pool, this.#begin);
  }

  override createAdapter(): DialectAdapter {
    return new MigrationLockAdapter(this.#begin);
  }
}

/** Kysely's own, so that a replica that locks with the session, as Kysely does, is waited for too. */
const MIGRATION_LOCK_ID = '3853314791062309107';

/**
 * Locks migrations with a transaction, and not with the session as Kysely does: behind a transaction-mode pooler lock and
 * unlock would meet different sessions, and the lock stay for ever. For a `Migrator` with `disableTransactions`, which
 * does all its work between the two, on one connection.
 */
class MigrationLockAdapter extends PostgresAdapter {
  readonly #begin: string;

  constructor(begin: string) {
    super();
    this.#begin = begin;
  }

  override async acquireMigrationLock(db: Kysely<unknown>): Promise<void> {
    await db.executeQuery(CompiledQuery.raw(this.#begin));
    await sql`select pg_advisory_xact_lock(${sql.lit(MIGRATION_LOCK_ID)})`.execute(db);
  }

  /** After an error of a statement PostgreSQL rolls back instead. */
  override async releaseMigrationLock(db: Kysely<unknown>): Promise<void> {
    await db.executeQuery(CompiledQuery.raw('commit'));
  }
}

class ReadCommittedDriver extends PostgresDriver {
  readonly #begin: string;
  readonly #begun = new WeakMap<DatabaseConnection, Promise<unknown>>();

  constructor(pool: PostgresPool, begin: string) {
    super({ pool });
    this.#begin = begin;
  }

  /**
   * Sends BEGIN and does not wait: the first statement follows in the same flight (pg's pipeline mode). Where
   * BEGIN fails, so does the connection and with it all that follows; COMMIT makes sure.
   */
  override async beginTransaction(connection: DatabaseConnection): Promise<void> {
    const begun = connection.executeQuery(CompiledQuery.raw(this.#begin));
    begun.catch(() => {}); // told by commitTransaction
    this.#begun.set(connection, begun);
  }

  override async commitTransaction(connection: DatabaseConnection): Promise<void> {
    await this.#begun.get(connection);
    await super.commitTransaction(connection); // by PreparingClient, which listens for the warning
  }

  /** Where it fails the connection is gone, and with it the transaction: the error that led here says more. */
  override async rollbackTransaction(connection: DatabaseConnection): Promise<void> {
    await super.rollbackTransaction(connection).catch(() => {});
  }
}

/** The commit was made on the primary, and the wait for its synchronous standby was cut short: it may yet be lost. */
export class NotReplicatedError extends Error {
  override readonly name = 'NotReplicatedError';
}

/**
 * What PostgreSQL warns of when a timeout, `pg_cancel_backend` or its own shutdown ends that wait: it then answers
 * COMMIT as if all were well. By code, because the message is in the server's language; no other warning of a COMMIT
 * has one of these.
 */
const WAIT_CUT_SHORT = new Set([
  '01000', // warning
  '57P01', // admin_shutdown
]);

/** Errors of connections that came to nothing: a proxy without a server, say, accepts them and hangs up. */
export const neverConnected = new WeakSet<Error>();

/** At most this many statements are kept prepared on a connection; each costs the server some memory. */
const MAX_PREPARED = 100;
const statementNames = new Map<string, string>();

/**
 * A connection that parses and plans each statement marked with `/* prepared *\/` once, if it has a session of its own. Only
 * those that run all the time are marked: lists with their many filters would fill the server's memory with plans.
 *
 * Lists of ids and keys reach a marked statement as JSON: of an array parameter PostgreSQL estimates ten elements where it
 * plans for all values, and so would go on planning anew for each short one.
 */
export class PreparingClient extends pg.Client {
  #prepares = false;

  /**
   * Finds out whether PostgreSQL itself is at the other end, whose session is then ours to set up. A pooler such as PgBouncer
   * greets with a process id of its own making, and its next transaction may meet a session that never saw our statement,
   * or another's of that name.
   */
  async openSession(): Promise<void> {
    try {
      const { rows } = await super.query<{ pid: number }>('select pg_backend_pid() as pid');
      const greeting = this as unknown as { processID: number | null };
      this.#prepares = rows[0]?.pid === greeting.processID;
      if (this.#prepares) await super.query(`set ${NO_JIT}`);
    } catch (error) {
      neverConnected.add(error as Error);
      throw error;
    }
  }

  /** Marks an error on the way to a connection (`neverConnected`): nothing can have been done over it. */
  // biome-ignore lint/suspicious/noExplicitAny: the overloads of pg's connect are not worth repeating here
  override connect(callback?: any): any {
    if (callback === undefined) return super.connect();
    super.connect((error: Error | undefined) => {
      if (error) neverConnected.add(error);
      callback(error);
    });
  }

  // biome-ignore lint/suspicious/noExplicitAny: the overloads of pg's query are not worth repeating here
  override query(query: any, values?: any, callback?: any): any {
    this.#cork();
    if (query === 'commit') return this.#commit();
    const name = this.#prepares && typeof query === 'string' && Array.isArray(values) ? nameOf(query) : undefined;
    return name === undefined
      ? super.query(query, values, callback)
      : super.query({ name, text: query, values }, callback);
  }

  /** What is sent in one turn of the event loop leaves as one packet. */
  #cork(): void {
    const { stream } = (this as unknown as { connection: { stream: Socket } }).connection;
    stream.cork();
    process.nextTick(() => stream.uncork());
  }

  /** @throws NotReplicatedError */
  async #commit(): Promise<pg.QueryResult> {
    let warning: string | undefined;
    const onNotice = ({ code, message }: { code: string | undefined; message: string | undefined }) => {
      if (WAIT_CUT_SHORT.has(code ?? '')) warning = message ?? code;
    };
    this.on('notice', onNotice);
    try {
      const result = await super.query('commit');
      if (warning === undefined) return result;
    } catch (error) {
      if (warning === undefined) throw error; // else the connection ended with the wait
    } finally {
      this.off('notice', onNotice);
    }
    throw new NotReplicatedError(warning);
  }
}

function nameOf(text: string): string | undefined {
  const known = statementNames.get(text);
  if (known !== undefined || !text.includes('/* prepared */') || statementNames.size >= MAX_PREPARED) return known;
  const name = `p${statementNames.size}`;
  statementNames.set(text, name);
  return name;
}
