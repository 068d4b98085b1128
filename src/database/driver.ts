import { type Dialect, type Driver, PostgresIntrospector, PostgresQueryCompiler } from 'kysely';
import type pg from 'pg';
import { PipelinedConnection } from './connection.js';
import { markNeverConnected } from './errors.js';
import { MigrationLockAdapter } from './migration-lock.js';
import { beginStatement, type TransactionLimits } from './server-settings.js';

/** Kysely over a pool of pg, of PostgreSQL or of PGlite. Every transaction is READ COMMITTED and bounded in time. */
export function readCommittedDialect(pool: pg.Pool, limits: TransactionLimits): Dialect {
  const begin = beginStatement(limits);
  return {
    createDriver: () => new PoolDriver(pool, begin),
    createAdapter: () => new MigrationLockAdapter(begin),
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
    const client = await this.#pool.connect().catch((error) => {
      markNeverConnected(error);
      throw error;
    });
    const known = this.#connections.get(client);
    if (known) return known;
    const connection = new PipelinedConnection(client);
    this.#connections.set(client, connection);
    return connection;
  }

  /** Kysely's transaction settings do not count: no caller chooses an isolation level. */
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
