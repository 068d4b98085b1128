import { X509Certificate } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';
import { createSecureContext } from 'node:tls';
import { Kysely, sql } from 'kysely';
import pg from 'pg';
import type { Config } from '../config.js';
import { type DataDirLock, lockDataDir } from '../embedded/data-dir-lock.js';
import { openEmbedded } from '../embedded/pglite.js';
import { StartError } from '../errors.js';
import { readCommittedDialect } from './driver.js';
import { DEFAULT_SCHEMA, isDirect, setUpConnection } from './server-settings.js';
import type { Tables } from './tables.js';

export interface Database {
  readonly kind: 'postgresql' | 'embedded';
  /** DATABASE_SCHEMA. Null if it is not set, and for the embedded database: the registry is in `DEFAULT_SCHEMA` then. */
  readonly schema: string | null;
  readonly db: Kysely<Tables>;
  /**
   * Does work that may take longer than any request may, such as a migration. On PostgreSQL it gets a connection of its
   * own without the time limits of `db`, which is closed afterwards.
   */
  withoutLimits<T>(work: (db: Kysely<Tables>) => Promise<T>): Promise<T>;
  /**
   * Calls `onMessage` for each NOTIFY on a channel that is about this registry, and when listening begins, until `signal`
   * is aborted. A connection that breaks is made again. Ends at once behind a pooler, where no session is ours to listen
   * in, and on the embedded database, which no other process changes.
   */
  listen(channel: string, onMessage: () => void, signal: AbortSignal): Promise<void>;
  /** How many connections the pool has, how many of them are idle, and how many requests wait for one. */
  poolCounts(): { total: number; idle: number; waiting: number };
  /** Waits for the queries under way, and closes all connections. */
  close(): Promise<void>;
}

type ConnectConfig = Pick<
  Config,
  'databaseUrl' | 'databaseSchema' | 'dataDir' | 'databasePoolSize' | 'lockTimeoutMs' | 'requestTimeoutMs'
>;
export type Log = { info(data: object, message: string): void; warn(data: object, message: string): void };

/** To PostgreSQL, 0 means no limit. */
const NO_LIMITS = { lockTimeoutMs: 0, statementTimeoutMs: 0 };
/**
 * On a connection without time limits, only TCP keepalive shows that the database is gone. By default, Linux sends the
 * first keepalive probe after two hours.
 */
const KEEP_ALIVE_MS = 10_000;
/** How long after the loss of the connection that listens it is made again. */
const RECONNECT_MS = 2000;

/**
 * Opens PostgreSQL or, without a `databaseUrl`, the embedded database of `dataDir`. The pool for PostgreSQL connects
 * when it is first used, and again after an outage.
 * @param embeddedFiles how many files the embedded database may have open, see `openEmbedded`
 * @throws StartError if DATABASE_URL cannot be used, or if the data folder cannot be opened
 * @throws DataDirLockedError when another process has the data folder open
 */
export async function connectDatabase(
  config: ConnectConfig,
  log: Log,
  takeLock: (dataDir: string) => Promise<DataDirLock> = lockDataDir,
  embeddedFiles: number | null = null,
): Promise<Database> {
  const limits = { lockTimeoutMs: config.lockTimeoutMs, statementTimeoutMs: config.requestTimeoutMs };
  if (config.databaseUrl === null) {
    const embedded = await openEmbedded(config.dataDir, takeLock, undefined, embeddedFiles);
    const db = new Kysely<Tables>({ dialect: readCommittedDialect(embedded.pool, limits) });
    return {
      kind: 'embedded',
      schema: null,
      db,
      withoutLimits: (work) => work(db),
      listen: async () => {},
      poolCounts: () => countsOf(embedded.pool),
      async close() {
        await db.destroy();
        await embedded.close();
      },
    };
  }
  const schema = config.databaseSchema ?? DEFAULT_SCHEMA;
  const connection = {
    onConnect: (client: pg.ClientBase) => setUpConnection(client, schema),
    connectionString: config.databaseUrl,
    application_name: 'port-allocator',
    connectionTimeoutMillis: Math.min(config.requestTimeoutMs, 5000),
    keepAlive: true,
    pipeline: true, // `PipelinedConnection` needs it
  };
  requireUsable(connection);
  const pool = openPool(log, {
    ...connection,
    max: config.databasePoolSize,
    // If the server does not answer a query in this time, pg in pipeline mode ends the connection, and with it every
    // query that waits on it, so that the next caller does not get a connection that is blocked.
    query_timeout: config.requestTimeoutMs,
  });
  const db = new Kysely<Tables>({ dialect: readCommittedDialect(pool, limits) });
  return {
    kind: 'postgresql',
    schema: config.databaseSchema,
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
    async listen(channel, onMessage, signal) {
      while (!signal.aborted) {
        const isOurs = await listenOnce({ ...connection, pipeline: false }, schema, channel, onMessage, signal);
        if (!isOurs) return;
        await setTimeout(RECONNECT_MS, undefined, { signal }).catch(() => {});
      }
    },
    poolCounts: () => countsOf(pool),
    close: () => db.destroy(),
  };
}

/**
 * Listens on a connection of its own until that breaks or `signal` is aborted.
 * @returns false behind a pooler
 */
async function listenOnce(
  connection: pg.ClientConfig,
  schema: string,
  channel: string,
  onMessage: () => void,
  signal: AbortSignal,
): Promise<boolean> {
  const client = new pg.Client({ ...connection, keepAliveInitialDelayMillis: KEEP_ALIVE_MS });
  let end = () => {};
  const ended = new Promise<void>((resolve) => {
    end = resolve;
  });
  client.once('end', end).on('error', end);
  signal.addEventListener('abort', end);
  client.on('notification', ({ payload }) => payload === schema && onMessage());
  try {
    await client.connect();
    await setUpConnection(client, schema);
    if (!isDirect(client)) return false;
    await client.query(`listen ${client.escapeIdentifier(channel)}`);
    onMessage(); // for what was missed without a connection
    await ended;
  } catch {
    // The pool's queries tell of an outage. This connection is only tried again.
  } finally {
    signal.removeEventListener('abort', end);
    await client.end().catch(() => {});
  }
  return true;
}

/**
 * Reads DATABASE_URL as each connection does, with the files of certificates that it names. Without this check, every
 * attempt to connect would fail, and the service would wait for a database that it can never reach.
 * @throws StartError
 */
function requireUsable(connection: pg.ClientConfig): void {
  const { ssl } = explaining('', () => new pg.Client(connection)) as { ssl: { ca?: string } | boolean };
  if (typeof ssl !== 'object') return;
  const { ca } = ssl;
  if (ca !== undefined) explaining('the file of sslrootcert: ', () => new X509Certificate(ca));
  explaining('the files of sslcert and sslkey: ', () => createSecureContext(ssl));
}

function explaining<T>(what: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    const { message } = error as Error;
    throw new StartError(`DATABASE_URL cannot be used: ${what}${message}`, { cause: error });
  }
}

function countsOf({ totalCount, idleCount, waitingCount }: pg.Pool) {
  return { total: totalCount, idle: idleCount, waiting: waitingCount };
}

function openPool(log: Log, options: pg.PoolConfig): pg.Pool {
  const pool = new pg.Pool(options);
  // Without this listener, the error of an idle connection, as after a restart of the database, would end the process.
  pool.on('error', (error) => log.warn({ err: error }, 'An idle database connection was lost'));
  // The same is true of a connection in use, whose errors the pool does not listen to. Its query is rejected with the
  // error.
  pool.on('connect', (client) => client.on('error', () => {}));
  return pool;
}

const PING_TIMEOUT_MS = 1000;

/** Whether the database answers within `PING_TIMEOUT_MS`, so that a health check never waits for it longer. */
export async function isAvailable(db: Kysely<Tables>): Promise<boolean> {
  const answered = sql`select 1`.execute(db).then(
    () => true,
    () => false,
  );
  return Promise.race([answered, setTimeout(PING_TIMEOUT_MS, false, { ref: false })]);
}
