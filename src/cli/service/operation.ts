import { resolve } from 'node:path';
import type { Command } from 'commander';
import type { Logger } from 'pino';
import { ClientFailure } from '../../client/failure.js';
import type { Config } from '../../config.js';
import type { CommonOptions } from '../context.js';
import { openOutput } from '../output.js';

/**
 * Does the work of an operator's command, with the configuration of the service: its variables and the file .env. The
 * log goes to stderr, what the command has done to stdout.
 * @param tell puts the result in a sentence
 * @throws ClientFailure
 */
export async function operate<T extends object>(
  command: Command,
  work: (config: Config, log: Logger) => Promise<T>,
  tell: (result: T, config: Config) => string,
): Promise<void> {
  const [{ redactKeys }, { loadConfig }, { openLog }] = await Promise.all([
    import('../../access/redact.js'),
    import('../../config.js'),
    import('../../process/log.js'),
  ]);
  const output = openOutput(command.optsWithGlobals<CommonOptions>());
  await explaining(async () => {
    const config = loadConfig(process.env, { dotenv: true });
    const result = await work(config, openLog(config.logLevel, 2, redactKeys(config.adminApiKey)));
    output.answer(tell(result, config), result);
  });
}

/** Tells of a refused start as of any other failure of a command. @throws ClientFailure */
export async function explaining<T>(work: () => Promise<T>): Promise<T> {
  const { StartError, UnreachableError } = await import('../../errors.js');
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof StartError)) throw error;
    const kind = error instanceof UnreachableError ? 'unreachable' : 'refused';
    throw new ClientFailure(kind, error.message, '', null, { cause: error });
  }
}

/**
 * Resolves the path of a file that a user has named. npm runs a script in the folder of the package, and says in
 * INIT_CWD where it was called.
 */
export const resolveFile = (file: string): string => resolve(process.env.INIT_CWD ?? '.', file);
