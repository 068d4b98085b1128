// Applies the migrations that are missing. Several processes may do this at the same time.
import { migrate } from '../src/database/migrate.js';
import { withDatabase } from './with-database.js';

await withDatabase(async (database, _config, log) => {
  await migrate(database, log);
  log.info({ database: database.kind }, 'The schema is up to date');
});
