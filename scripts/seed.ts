// Inserts the ranges that a new registry starts with. Those that would overlap an existing range are left out, and
// nothing is changed that exists. Repeatable.
import { migrate } from '../src/database/migrate.js';
import { seed, seedRanges } from '../src/database/seed.js';
import { withDatabase } from './with-database.js';

await withDatabase(async (database, config, log) => {
  if (config.migrateOnStart) await database.withoutLimits((db) => migrate(db, log));
  const inserted = await seed(database.db, config.reuseCooldownSeconds);
  log.info({ inserted, left: seedRanges.length - inserted }, 'Seeded');
});
