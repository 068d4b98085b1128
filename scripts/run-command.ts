import { resolve } from 'node:path';
import type { Logger } from 'pino';
import { redactKeys } from '../src/access/redact.js';
import { type Config, loadConfig } from '../src/config.js';
import { CommandRefused } from '../src/errors.js';
import { openLog } from '../src/process/log.js';
import { describeStartError } from '../src/start-error.js';

/** Runs a command of an operator. If it fails, prints one message and sets exit code 1. */
export async function runCommand(work: (config: Config, log: Logger) => Promise<void>): Promise<void> {
  try {
    const config = loadConfig(process.env, { dotenv: true });
    await work(config, openLog(config.logLevel, 1, redactKeys(config.adminApiKey)));
  } catch (error) {
    process.stderr.write(`${describeStartError(error)}\n`);
    process.exitCode = 1;
  }
}

/**
 * Returns the command's only argument, a file. A relative path is resolved from the folder in which npm was called
 * (INIT_CWD), because npm runs scripts in the folder of the package.
 * @throws CommandRefused if there is not exactly one argument
 */
export function fileArgument(command: string): string {
  const [file, ...rest] = process.argv.slice(2);
  if (!file || rest.length > 0) throw new CommandRefused(`Usage: npm run ${command} -- FILE`);
  return resolve(process.env.INIT_CWD ?? '.', file);
}

/** @throws CommandRefused if the registry is in PostgreSQL, which has its own tools for this */
export function requireEmbedded({ databaseUrl }: Config): void {
  if (databaseUrl === null) return;
  throw new CommandRefused(
    'DATABASE_URL is set, and this command is for the embedded database. For PostgreSQL there are pg_dump and ' +
      'pg_restore: docs/backup.md.',
  );
}
