// Moves the registry of DATA_DIR into the empty PostgreSQL database of DATABASE_URL, everything included, and leaves
// DATA_DIR as it is. What runs on it has to be stopped first, but for agents' stdio processes, which give way.

import { connectDatabase } from '../src/database/connect.js';
import { migrate } from '../src/database/migrate.js';
import { copyRegistry, listTables, requireEmpty } from '../src/database/move.js';
import { requireRegistry } from '../src/embedded/backup.js';
import { CommandRefused } from '../src/errors.js';
import { connectForService } from '../src/mcp/peers.js';
import { runCommand } from './run-command.js';

await runCommand(async (config, log) => {
  if (config.databaseUrl === null) {
    throw new CommandRefused('Set DATABASE_URL to the empty PostgreSQL database that the registry is to move to.');
  }
  await requireRegistry(config.dataDir);
  const source = await connectForService({ ...config, databaseUrl: null }, log);
  const target = await connectDatabase(config, log); // connects when it is first used
  try {
    await requireEmpty(target.db, await listTables(source.db)); // before the migrations, which create tables and rows
    await target.withoutLimits((db) => migrate(db, log));
    const rows = await target.withoutLimits((db) => copyRegistry(source.db, db, log));
    log.info(
      { rows, dataDir: config.dataDir },
      'Moved. Run everything with this DATABASE_URL from now on; DATA_DIR is as it was',
    );
  } finally {
    await target.close();
    await source.close();
  }
});
