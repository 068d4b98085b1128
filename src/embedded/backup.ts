import { mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { PGlite } from '@electric-sql/pglite';
import { CommandRefused } from '../errors.js';
import { readArchive, writeArchive } from './archive.js';
import { closeTree, DATABASE_FOLDER, exists, UNFINISHED_PREFIX } from './data-folder.js';
import { removeUnfinished } from './pglite.js';

/**
 * Writes the embedded database into a new archive. The caller holds the lock of the data folder, so that nobody has
 * the database open and its files do not change meanwhile. They form a whole database even if the last process was
 * killed.
 * @throws CommandRefused
 */
export async function backUp(dataDir: string, file: string): Promise<void> {
  await requireRegistry(dataDir);
  if (await exists(file)) throw new CommandRefused(`${file} exists already, and is left as it is. Give a new name.`);
  try {
    await writeArchive(dataDir, file);
  } catch (error) {
    const { message } = error as Error;
    throw new CommandRefused(`${file} could not be written: ${message}. Nothing was backed up.`, { cause: error });
  }
}

/**
 * Puts the database of an archive into a data folder that has none. The archive is unpacked into a temporary folder,
 * opened to see that it is whole, and then renamed. If the process is killed before that, the next process that holds
 * the lock removes the temporary folder.
 * @returns how many active allocations the database has
 * @throws CommandRefused
 */
export async function restore(dataDir: string, file: string): Promise<number> {
  if (await exists(join(dataDir, DATABASE_FOLDER))) {
    throw new CommandRefused(
      `${dataDir} holds a registry already, and restoring never replaces one. Give another DATA_DIR, or move its folder ` +
        `\`${DATABASE_FOLDER}\` away first.`,
    );
  }
  const unfinished = join(dataDir, `${UNFINISHED_PREFIX}${process.pid}`);
  try {
    await removeUnfinished(dataDir);
    await mkdir(unfinished, { mode: 0o700 });
    readArchive(file, unfinished);
    const allocations = await countAllocations(unfinished);
    await closeTree(unfinished);
    await rename(unfinished, join(dataDir, DATABASE_FOLDER));
    return allocations;
  } catch (error) {
    throw new CommandRefused(`${file} is no whole backup: ${(error as Error).message}. Nothing was restored.`, {
      cause: error,
    });
  } finally {
    await rm(unfinished, { recursive: true, force: true });
  }
}

/** @throws CommandRefused if the folder holds no registry; without this check, opening it would create one */
export async function requireRegistry(dataDir: string): Promise<void> {
  if (await exists(join(dataDir, DATABASE_FOLDER))) return;
  throw new CommandRefused(`${dataDir} holds no registry. Set DATA_DIR to the folder that the service runs on.`);
}

async function countAllocations(folder: string): Promise<number> {
  // Without this check, PGlite would create a database there.
  if (!(await exists(join(folder, 'PG_VERSION')))) throw new Error('it holds no database');
  const pglite = await PGlite.create(folder);
  try {
    const { rows } = await pglite.query<{ held: number }>(
      'select count(*)::integer as held from port_allocations where released_at is null',
    );
    return rows[0]?.held ?? 0;
  } finally {
    await pglite.close();
  }
}
