import type { Config } from '../config.js';
import { connectDatabase, type Database, type Log } from '../database/connect.js';
import { toStartError } from '../database/start-errors.js';
import { takeOver } from '../embedded/take-over.js';

/**
 * Opens the configured database, does some work of an operator, and closes it. The embedded database is taken over from
 * a background service.
 * @throws DataDirLockedError if a service in the foreground has it
 */
export async function withDatabase<T>(config: Config, log: Log, work: (database: Database) => Promise<T>): Promise<T> {
  const open = () => connectDatabase(config, log);
  const database = await (config.databaseUrl === null ? takeOver(config.dataDir, open) : open());
  try {
    return await work(database);
  } catch (error) {
    throw toStartError(error);
  } finally {
    await database.close();
  }
}
