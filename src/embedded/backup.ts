import { mkdir, open, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { PGlite } from '@electric-sql/pglite';
import { create, extract } from 'tar';
import { CommandRefused } from '../errors.js';
import { DATABASE_FOLDER, exists, UNFINISHED_PREFIX } from './pglite.js';

/**
 * Writes the embedded database into a new archive. Nobody may have the database open, which holding the data directory's
 * lock makes sure of; so the files belong together, also those that a killed process left.
 * @throws CommandRefused
 */
export async function backUp(dataDir: string, file: string): Promise<void> {
  await demandRegistry(dataDir);
  if (await exists(file)) throw new CommandRefused(`${file} exists already, and is left as it is. Give a new name.`);
  const partial = `${file}.partial`;
  try {
    await create({ file: partial, cwd: dataDir, gzip: true, strict: true, mode: 0o600 }, [DATABASE_FOLDER]);
    await syncFile(partial);
    await rename(partial, file);
  } finally {
    await rm(partial, { force: true });
  }
}

/**
 * Puts the database of an archive into a data directory that has none, once it has been opened and found whole. It is
 * unpacked beside its place and renamed: one that was cut short is removed by the next process that has the lock.
 * @returns how many allocations are held in it
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
    await mkdir(unfinished, { mode: 0o700 });
    await extract({ file, cwd: unfinished, strict: true, strip: 1 });
    const held = await countHeld(unfinished);
    await rename(unfinished, join(dataDir, DATABASE_FOLDER));
    return held;
  } catch (error) {
    throw new CommandRefused(`${file} is no whole backup: ${(error as Error).message}. Nothing was restored.`, {
      cause: error,
    });
  } finally {
    await rm(unfinished, { recursive: true, force: true });
  }
}

/** @throws CommandRefused rather than to let a new registry be made there */
export async function demandRegistry(dataDir: string): Promise<void> {
  if (await exists(join(dataDir, DATABASE_FOLDER))) return;
  throw new CommandRefused(`${dataDir} holds no registry. Set DATA_DIR to the folder that the service runs on.`);
}

async function countHeld(folder: string): Promise<number> {
  if (!(await exists(join(folder, 'PG_VERSION')))) throw new Error('it holds no database'); // PGlite would make one
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

async function syncFile(path: string): Promise<void> {
  const file = await open(path, 'r+');
  await file.sync().finally(() => file.close());
}
