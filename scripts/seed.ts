// Inserts the ranges that a new registry starts with. Those that would overlap an existing range are left out, and
// nothing is changed that exists. Repeatable.
import { isMigrated, migrate } from '../src/database/migrate.js';
import { seed, seedRanges } from '../src/database/seed.js';
import { CommandRefused } from '../src/errors.js';
import { withDatabase } from './with-database.js';

await withDatabase(async (database, config, log) => {
  if (config.migrateOnStart) await migrate(database, log);
  else if (!(await isMigrated(database.db))) {
    throw new CommandRefused(
      'The migrations are not applied yet, and MIGRATE_ON_START is false. Run `npm run migrate` first.',
    );
  }
  const inserted = await seed(database.db, config.reuseCooldownSeconds);
  log.info({ inserted, left: seedRanges.length - inserted }, 'Seeded');
});
