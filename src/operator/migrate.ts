import type { Config } from '../config.js';
import type { Database, Log } from '../database/connect.js';
import { migrate } from '../database/migrate.js';
import { withDatabase } from './with-database.js';

/** Applies the migrations that are missing. Several processes may do this at the same time. */
export function migrateRegistry(config: Config, log: Log): Promise<Pick<Database, 'kind'>> {
  return withDatabase(config, log, async (database) => {
    await migrate(database, log);
    return { kind: database.kind };
  });
}
