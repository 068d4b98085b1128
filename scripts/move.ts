// Copies the whole registry in DATA_DIR into the empty PostgreSQL database of DATABASE_URL, and leaves DATA_DIR as it
// is. A service that uses DATA_DIR must be stopped first. The stdio processes of agents need not be: they release it
// when asked.
import { connectDatabase } from '../src/database/connect.js';
import { migrate } from '../src/database/migrate.js';
import { copyRegistry, listTables, requireEmpty } from '../src/database/move.js';
import { requireServable } from '../src/database/requirements.js';
import { toStartError } from '../src/database/start-errors.js';
import { requireRegistry } from '../src/embedded/backup.js';
import { CommandRefused } from '../src/errors.js';
import { connectForService } from '../src/mcp/peers.js';
import { runCommand } from './run-command.js';

await runCommand(async (config, log) => {
  if (config.databaseUrl === null) {
    throw new CommandRefused('Set DATABASE_URL to the empty PostgreSQL database that the registry is to move to.');
  }
  if (config.dataDir === '') throw new CommandRefused('Set DATA_DIR to the folder of the registry that is to move.');
  await requireRegistry(config.dataDir);
  const source = await connectForService({ ...config, databaseUrl: null }, log);
  const target = await connectDatabase(config, log); // the connection itself is made at the first query
  try {
    await requireServable(target);
    await requireEmpty(target.db, await listTables(source.db)); // before the migrations, which create tables and rows
    await migrate(target, log);
    const rows = await target.withoutLimits((db) => copyRegistry(source.db, db, log));
    log.info(
      { rows, dataDir: config.dataDir },
      'Moved. Run everything with this DATABASE_URL from now on; DATA_DIR is as it was',
    );
  } catch (error) {
    throw toStartError(error);
  } finally {
    await target.close();
    await source.close();
  }
});
