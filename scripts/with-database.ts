import type { Logger } from 'pino';
import type { Config } from '../src/config.js';
import type { Database } from '../src/database/connect.js';
import { toStartError } from '../src/database/start-errors.js';
import { connectForService } from '../src/mcp/peers.js';
import { runCommand } from './run-command.js';

/** Runs a command of an operator on the configured database, and closes the database afterwards. */
export function withDatabase(work: (database: Database, config: Config, log: Logger) => Promise<void>): Promise<void> {
  return runCommand(async (config, log) => {
    const database = await connectForService(config, log);
    try {
      await work(database, config, log);
    } catch (error) {
      throw toStartError(error);
    } finally {
      await database.close();
    }
  });
}
