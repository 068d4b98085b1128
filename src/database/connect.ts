import { setTimeout } from 'node:timers/promises';
import { Kysely, sql } from 'kysely';
import pg from 'pg';
import type { Config } from '../config.js';
import { lockDataDir } from '../embedded/data-dir-lock.js';
import { openEmbedded } from '../embedded/pglite.js';
import { readCommittedDialect } from './driver.js';
import { setUpConnection } from './server-settings.js';
import type { Tables } from './tables.js';

export interface Database {
  readonly kind: 'postgresql' | 'embedded';
  readonly db: Kysely<Tables>;
  /**
   * Does work that may take longer than any request, as a migration may: on PostgreSQL over a connection
   * of its own, without the limits of `db`, that is closed afterwards.
   */
  withoutLimits<T>(work: (db: Kysely<Tables>) => Promise<T>): Promise<T>;
  /** Connections of the pool, and requests that wait for one. */
  poolCounts(): { total: number; idle: number; waiting: number };
  /** Closes what was opened, once what is under way has ended. */
  close(): Promise<void>;
}

type ConnectConfig = Pick<
  Config,
  'databaseUrl' | 'dataDir' | 'databasePoolSize' | 'lockTimeoutMs' | 'requestTimeoutMs'
>;
export type Log = { info(data: object, message: string): void; warn(data: object, message: string): void };

/** PostgreSQL takes 0 for none. */
const NO_LIMITS = { lockTimeoutMs: 0, statementTimeoutMs: 0 };
/** Without limits only the network tells that the database is gone; Linux would first ask after two hours. */
const KEEP_ALIVE_MS = 10_000;

/**
 * Opens PostgreSQL (a pool that connects when first used, and again after an outage) or the embedded
 * database of `dataDir`.
 * @throws DataDirLockedError when another process has the data directory open
 */
export async function connectDatabase(
  config: ConnectConfig,
  log: Log,
  takeLock: typeof lockDataDir = lockDataDir,
): Promise<Database> {
  const limits = { lockTimeoutMs: config.lockTimeoutMs, statementTimeoutMs: config.requestTimeoutMs };
  if (config.databaseUrl === null) {
    const embedded = await openEmbedded(config.dataDir, takeLock);
    const db = new Kysely<Tables>({ dialect: readCommittedDialect(embedded.pool, limits) });
    return {
      kind: 'embedded',
      db,
      withoutLimits: (work) => work(db),
      poolCounts: () => countsOf(embedded.pool),
      async close() {
        await db.destroy();
        await embedded.close();
      },
    };
  }
  const connection = {
    onConnect: setUpConnection,
    connectionString: config.databaseUrl,
    application_name: 'port-allocator',
    connectionTimeoutMillis: Math.min(config.requestTimeoutMs, 5000),
    keepAlive: true,
    pipeline: true, // `PipelinedConnection` needs it
  };
  const pool = openPool(log, {
    ...connection,
    max: config.databasePoolSize,
    // A connection that answers nothing is destroyed after this, and with it what waited on it: in
    // pipeline mode pg ends the connection instead of handing a blocked one to the next caller.
    query_timeout: config.requestTimeoutMs,
  });
  const db = new Kysely<Tables>({ dialect: readCommittedDialect(pool, limits) });
  return {
    kind: 'postgresql',
    db,
    async withoutLimits(work) {
      const own = new Kysely<Tables>({
        dialect: readCommittedDialect(
          openPool(log, { ...connection, max: 1, keepAliveInitialDelayMillis: KEEP_ALIVE_MS }),
          NO_LIMITS,
        ),
      });
      return work(own).finally(() => own.destroy());
    },
    poolCounts: () => countsOf(pool),
    close: () => db.destroy(),
  };
}

function countsOf({ totalCount, idleCount, waitingCount }: pg.Pool) {
  return { total: totalCount, idle: idleCount, waiting: waitingCount };
}

function openPool(log: Log, options: pg.PoolConfig): pg.Pool {
  const pool = new pg.Pool(options);
  // Without a listener, a database restart would end the process through an idle connection's error.
  pool.on('error', (error) => log.warn({ err: error }, 'An idle database connection was lost'));
  // And through that of a connection in use, on which the pool does not listen; its query fails and tells.
  pool.on('connect', (client) => client.on('error', () => {}));
  return pool;
}

const PING_TIMEOUT_MS = 1000;

/** Whether the database answers now; bounded, so that a health check never hangs on it. */
export async function isAvailable(db: Kysely<Tables>): Promise<boolean> {
  const answers = sql`select 1`.execute(db).then(
    () => true,
    () => false,
  );
  return Promise.race([answers, setTimeout(PING_TIMEOUT_MS, false, { ref: false })]);
}
