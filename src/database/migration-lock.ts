import { type DatabaseConnection, type Kysely, PostgresAdapter, sql } from 'kysely';

/** The same id as Kysely's, so that this also waits for a replica that still locks as Kysely does. */
const MIGRATION_LOCK_ID = '3853314791062309107';

/**
 * Holds the migration lock for a transaction, where Kysely holds it for the session: behind a transaction-mode pooler
 * the unlock may meet another session than the lock did, and the lock would stay for ever. Use it with
 * `disableTransactions`, so that the `Migrator` does all its work on one connection between lock and release, and
 * begins no transaction of its own.
 */
export class MigrationLockAdapter extends PostgresAdapter {
  readonly #begin: string;

  constructor(begin: string) {
    super();
    this.#begin = begin;
  }

  override async acquireMigrationLock(db: Kysely<unknown>): Promise<void> {
    await onConnection(db, (connection) => connection.begin(this.#begin));
    await sql`select pg_advisory_xact_lock(${sql.lit(MIGRATION_LOCK_ID)})`.execute(db);
  }

  /** If a migration's statement failed, PostgreSQL answers COMMIT with a rollback. */
  override async releaseMigrationLock(db: Kysely<unknown>): Promise<void> {
    await onConnection(db, (connection) => connection.commit());
  }
}

/** What the connections of driver.ts can do. */
interface TransactionConnection extends DatabaseConnection {
  begin(statement: string): Promise<void>;
  commit(): Promise<void>;
}

/** The migrator's `db` has one connection, which is one of this dialect's driver. */
function onConnection(db: Kysely<unknown>, work: (connection: TransactionConnection) => Promise<void>): Promise<void> {
  return db.getExecutor().provideConnection((connection) => work(connection as TransactionConnection));
}
