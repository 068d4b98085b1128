import {
  type CompiledQuery,
  type DatabaseConnection,
  type Dialect,
  type Driver,
  PostgresAdapter,
  PostgresIntrospector,
  PostgresQueryCompiler,
  type QueryResult,
} from 'kysely';
import type pg from 'pg';
import { markNeverConnected, NotReplicatedError } from './errors.js';
import { corkUntilNextTurn } from './pg-internals.js';
import { PreparedStatements } from './prepared-statements.js';
import {
  BEGIN,
  beginStatement,
  isDirect,
  settingsOfEachTransaction,
  type TransactionLimits,
} from './server-settings.js';
import { isPrepared } from './statements.js';

/**
 * Kysely over a pool of pg, of PostgreSQL or of PGlite. Every transaction begins as READ COMMITTED and is bounded in
 * time. One alone does not stay so: `describePort` (src/repositories/ports.ts) sets REPEATABLE READ by SQL, for a
 * transaction that only reads and locks nothing.
 */
export function readCommittedDialect(pool: pg.Pool, limits: TransactionLimits): Dialect {
  const begin = beginStatement(limits);
  return {
    createDriver: () => new PoolDriver(pool, begin),
    createAdapter: () => new PostgresAdapter(),
    createQueryCompiler: () => new PostgresQueryCompiler(),
    createIntrospector: (db) => new PostgresIntrospector(db),
  };
}

class PoolDriver implements Driver {
  readonly #pool: pg.Pool;
  readonly #begin: string;
  readonly #connections = new WeakMap<pg.PoolClient, PipelinedConnection>();

  constructor(pool: pg.Pool, begin: string) {
    this.#pool = pool;
    this.#begin = begin;
  }

  async init(): Promise<void> {}

  async acquireConnection(): Promise<PipelinedConnection> {
    const client = await this.#connect();
    const known = this.#connections.get(client);
    if (known) return known;
    const connection = new PipelinedConnection(client);
    this.#connections.set(client, connection);
    return connection;
  }

  async #connect(): Promise<pg.PoolClient> {
    try {
      return await this.#pool.connect(); // also throws at once, if a file that DATABASE_URL names cannot be read
    } catch (error) {
      markNeverConnected(error as Error);
      throw error;
    }
  }

  /** Kysely's transaction settings are ignored, so every transaction begins as READ COMMITTED. */
  beginTransaction(connection: PipelinedConnection): Promise<void> {
    return connection.begin(this.#begin);
  }

  commitTransaction(connection: PipelinedConnection): Promise<void> {
    return connection.commit();
  }

  rollbackTransaction(connection: PipelinedConnection): Promise<void> {
    return connection.rollback();
  }

  async releaseConnection(connection: PipelinedConnection): Promise<void> {
    connection.release();
  }

  destroy(): Promise<void> {
    return this.#pool.end();
  }
}

const CHANGING = new Set(['INSERT', 'UPDATE', 'DELETE', 'MERGE']);

/**
 * A connection of the pool as Kysely uses it. With pg's pipeline mode every statement is sent at once, behind
 * statements that are not answered yet; PostgreSQL executes them one after another, and answers in that order.
 */
export class PipelinedConnection implements DatabaseConnection {
  readonly #client: pg.PoolClient;
  readonly #prepared: PreparedStatements | null;
  readonly #settings: string | undefined;
  #begun: Promise<unknown> = Promise.resolve();
  #isInTransaction = false;

  constructor(client: pg.PoolClient) {
    this.#client = client;
    this.#prepared = isDirect(client) ? new PreparedStatements(client) : null;
    this.#settings = settingsOfEachTransaction(client);
  }

  executeQuery<R>(query: CompiledQuery): Promise<QueryResult<R>> {
    const needsTransaction = this.#settings !== undefined && !this.#isInTransaction;
    return needsTransaction ? this.#sendInTransaction(query) : this.#send(query);
  }

  /** Sends BEGIN with the settings, the statement and COMMIT in one flight. */
  async #sendInTransaction<R>(query: CompiledQuery): Promise<QueryResult<R>> {
    corkUntilNextTurn(this.#client);
    const begun = this.#client.query(`${BEGIN}; ${this.#settings}`);
    const answered = this.#send<R>(query);
    const [, result] = await Promise.all([begun, answered, commit(this.#client)]);
    return result;
  }

  async #send<R>(query: CompiledQuery): Promise<QueryResult<R>> {
    corkUntilNextTurn(this.#client);
    const name = isPrepared(query) ? this.#prepared?.nameOf(query.sql) : undefined;
    const { command, rowCount, rows } = await this.#client.query({
      name,
      text: query.sql,
      values: [...query.parameters],
    });
    return {
      rows: (rows as R[] | undefined) ?? [], // none where the text has several statements
      ...(CHANGING.has(command) && { numAffectedRows: BigInt(rowCount ?? 0) }),
    };
  }

  /**
   * Sends BEGIN and does not wait, so that the first statement follows in the same flight. If BEGIN fails, the
   * statements behind it fail too, because the connection is gone; `commit` makes sure.
   */
  async begin(statement: string): Promise<void> {
    corkUntilNextTurn(this.#client);
    this.#isInTransaction = true;
    this.#begun = this.#client.query(this.#settings === undefined ? statement : `${statement}; ${this.#settings}`);
    this.#begun.catch(() => {}); // `commit` throws it
  }

  /** @throws NotReplicatedError */
  async commit(): Promise<void> {
    await this.#begun;
    corkUntilNextTurn(this.#client);
    this.#isInTransaction = false;
    await commit(this.#client);
  }

  /**
   * Where it fails the connection is gone, and with it the transaction; the error that led to the rollback says more.
   */
  async rollback(): Promise<void> {
    corkUntilNextTurn(this.#client);
    this.#isInTransaction = false;
    await this.#client.query('rollback').catch(() => {});
  }

  release(): void {
    this.#client.release();
  }

  streamQuery(): never {
    throw new Error('Rows cannot be streamed: statements that follow in the pipeline would be answered among them.');
  }
}

/**
 * When a timeout, `pg_cancel_backend` or a shutdown ends that wait, PostgreSQL answers COMMIT as if all were well, and
 * sends a warning with one of these codes. The codes are compared because the message is in the server's language. No
 * other warning of a COMMIT has one of them.
 */
const WAIT_CUT_SHORT = new Set([
  '01000', // warning
  '57P01', // admin_shutdown
]);

/** @throws NotReplicatedError */
async function commit(client: pg.ClientBase): Promise<void> {
  let warning: string | undefined;
  const onNotice = ({ code, message }: { code: string | undefined; message: string | undefined }) => {
    if (WAIT_CUT_SHORT.has(code ?? '')) warning = message ?? code;
  };
  client.on('notice', onNotice);
  try {
    await client.query('commit');
  } catch (error) {
    if (warning === undefined) throw error; // with a warning, it is the same shutdown that ended the connection
  } finally {
    client.off('notice', onNotice);
  }
  if (warning !== undefined) throw new NotReplicatedError(warning);
}
