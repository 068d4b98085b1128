import type { Config } from '../config.js';
import { StartError } from '../errors.js';

/**
 * How many files and sockets each part of the process may have open. Together they are fewer than the process may have,
 * so that no part runs out because of another: neither a connection that a client has opened nor a probe takes what the
 * database needs.
 */
export interface OpenFiles {
  /** What the process may have open. Null if there is no limit, or it is not known. */
  readonly limit: number | null;
  /** PROBE_CONCURRENCY, or fewer. */
  readonly probeConcurrency: number;
  readonly connections: number;
  /** How many names are looked up at a time. */
  readonly names: number;
  /** Files of the embedded database. */
  readonly databaseFiles: number;
}

/**
 * An idle process has 22 open: the log, pipes, the lock, and what Node itself needs. The rest is for the files that it
 * reads, such as the kernel's list of listeners, and for connections that are closed at once because there are too many.
 */
const OWN_FILES = 32;
/** Few enough that a small name server takes them all, and many enough that slow names do not hold up an audit. */
const NAMES = { least: 4, most: 32 };
/** A look-up has a socket for each of the first two name servers. */
const SOCKETS_OF_NAME = 2;
/** PostgreSQL refuses to start with fewer than 64. All files of a registry, with the catalogs, are 245. */
const DATABASE_FILES = { least: 64, most: 256 };
/** Each costs some 10 kB besides its file descriptor. */
export const MOST_CONNECTIONS = 4096;
/** Connections and probes, without which the service is of no use. */
const LEAST_FOR_WORK = 32;
/** A probe of `localhost` connects to 127.0.0.1 and to ::1. */
const SOCKETS_OF_PROBE = 2;
/** Of what is left for connections and probes, how much the probes get at most. */
const SHARE_OF_PROBES = 0.2;

/**
 * Divides what the process may have open. With 300, for example, the embedded database has 64 files, and there are 158
 * connections and 19 probes.
 * @throws StartError if the service cannot work with so few
 */
export function divideOpenFiles(
  {
    databaseUrl,
    databasePoolSize,
    probeConcurrency,
  }: Pick<Config, 'databaseUrl' | 'databasePoolSize' | 'probeConcurrency'>,
  limit: number | null,
): OpenFiles {
  const databaseFiles = between(DATABASE_FILES, (limit ?? Number.POSITIVE_INFINITY) / 8);
  const names = between(NAMES, (limit ?? Number.POSITIVE_INFINITY) / 64);
  if (limit === null) return { limit, probeConcurrency, connections: MOST_CONNECTIONS, names, databaseFiles };
  // On PostgreSQL a migration has a connection of its own besides the pool, and so has listening for events.
  const database = databaseUrl === null ? databaseFiles : databasePoolSize + 2;
  const reserved = OWN_FILES + names * SOCKETS_OF_NAME + database;
  const forWork = limit - reserved;
  if (forWork < LEAST_FOR_WORK) throw tooFew(limit, reserved + LEAST_FOR_WORK, databaseUrl !== null);
  const probes = Math.min(probeConcurrency, Math.floor((forWork * SHARE_OF_PROBES) / SOCKETS_OF_PROBE));
  const connections = Math.min(MOST_CONNECTIONS, forWork - probes * SOCKETS_OF_PROBE);
  return { limit, probeConcurrency: probes, connections, names, databaseFiles };
}

const between = ({ least, most }: { least: number; most: number }, wanted: number): number =>
  Math.min(most, Math.max(least, Math.floor(wanted)));

function tooFew(limit: number, least: number, hasPool: boolean): StartError {
  const orLess = hasPool ? ', or set DATABASE_POOL_SIZE to less' : '';
  return new StartError(
    `This process may have ${limit} open files (ulimit -n), and the service needs at least ${least}. Raise the limit ` +
      `before it starts (ulimit -n 1024, LimitNOFILE= of systemd, --ulimit nofile= of Docker)${orLess}.`,
  );
}
