import type { Config } from '../config.js';
import type { Log } from '../database/connect.js';
import { isMigrated, migrate } from '../database/migrate.js';
import { seed, seedRanges } from '../database/seed.js';
import { CommandRefused } from '../errors.js';
import { withDatabase } from './with-database.js';

/**
 * Inserts the ranges that a new registry starts with. Those that would overlap an existing range are left out, and
 * nothing is changed that exists. Repeatable.
 * @returns how many ranges were inserted, and how many left out
 */
export function seedRegistry(config: Config, log: Log): Promise<{ inserted: number; left: number }> {
  return withDatabase(config, log, async (database) => {
    if (config.migrateOnStart) await migrate(database, log);
    else if (!(await isMigrated(database.db))) {
      throw new CommandRefused(
        'The migrations are not applied yet, and MIGRATE_ON_START is false. Run `npm run migrate` first.',
      );
    }
    const inserted = await seed(database.db, config.reuseCooldownSeconds);
    return { inserted, left: seedRanges.length - inserted };
  });
}
