import type { Config } from '../config.js';
import { backUp, restore } from '../embedded/backup.js';
import { lockDataDir } from '../embedded/data-dir-lock.js';
import { takeOver } from '../embedded/take-over.js';
import { CommandRefused } from '../errors.js';

/**
 * Writes the embedded database into one file. A service in the foreground must be stopped first.
 * @throws CommandRefused
 */
export function backUpRegistry(config: Config, file: string): Promise<void> {
  return locked(config, (dataDir) => backUp(dataDir, file));
}

/**
 * Restores a file that `backUpRegistry` wrote, into a data folder without a database.
 * @returns how many allocations are held in it
 * @throws CommandRefused
 */
export async function restoreRegistry(config: Config, file: string): Promise<{ held: number }> {
  return { held: await locked(config, (dataDir) => restore(dataDir, file)) };
}

async function locked<T>({ databaseUrl, dataDir }: Config, work: (dataDir: string) => Promise<T>): Promise<T> {
  if (databaseUrl !== null) {
    throw new CommandRefused(
      'DATABASE_URL is set, and this command is for the embedded database. For PostgreSQL there are pg_dump and ' +
        'pg_restore: docs/backup.md.',
    );
  }
  const lock = await takeOver(dataDir, () => lockDataDir(dataDir));
  return work(dataDir).finally(() => lock.release());
}
