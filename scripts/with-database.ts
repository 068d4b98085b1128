import { type Logger, pino } from 'pino';
import { type Config, loadConfig } from '../src/config.js';
import type { Database } from '../src/database/connect.js';
import { connectForService } from '../src/mcp/peers.js';
import { describeStartError } from '../src/start-error.js';

/** Runs a script's work on the configured database, and closes it; a failure is one message and exit code 1. */
export async function withDatabase(work: (database: Database, config: Config, log: Logger) => Promise<void>) {
  try {
    const config = loadConfig(process.env, { dotenv: true });
    const log = pino({ level: config.logLevel });
    const database = await connectForService(config, log);
    await work(database, config, log).finally(() => database.close());
  } catch (error) {
    process.stderr.write(`${describeStartError(error)}\n`);
    process.exitCode = 1;
  }
}
