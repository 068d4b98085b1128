import type { Config } from '../config.js';
import { connectDatabase, type Log } from '../database/connect.js';
import { migrate } from '../database/migrate.js';
import { copyRegistry, listTables, requireEmpty } from '../database/move.js';
import { requireServable } from '../database/requirements.js';
import { requireRegistry } from '../embedded/backup.js';
import { CommandRefused } from '../errors.js';
import { withDatabase } from './with-database.js';

/**
 * Copies the whole registry in DATA_DIR into the empty PostgreSQL database of DATABASE_URL, and leaves DATA_DIR as it
 * is. A service in the foreground that uses DATA_DIR must be stopped first.
 * @returns how many rows each table has
 */
export async function moveRegistry(config: Config, log: Log): Promise<{ rows: Record<string, number> }> {
  if (config.databaseUrl === null) {
    throw new CommandRefused('Set DATABASE_URL to the empty PostgreSQL database that the registry is to move to.');
  }
  if (config.dataDir === '') throw new CommandRefused('Set DATA_DIR to the folder of the registry that is to move.');
  await requireRegistry(config.dataDir);
  return withDatabase({ ...config, databaseUrl: null }, log, async (source) => {
    const target = await connectDatabase(config, log); // the connection itself is made at the first query
    try {
      await requireServable(target);
      await requireEmpty(target.db, await listTables(source.db)); // before the migrations, which create tables and rows
      await migrate(target, log);
      return { rows: await target.withoutLimits((db) => copyRegistry(source.db, db, log)) };
    } finally {
      await target.close();
    }
  });
}
