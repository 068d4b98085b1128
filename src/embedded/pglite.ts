import { mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { PGlite } from '@electric-sql/pglite';
import { createPgConfig } from '@electric-sql/pglite/node-postgres';
import pg from 'pg';
import { StartError } from '../errors.js';
import { explainingDataDir, type lockDataDir } from './data-dir-lock.js';

export const DATABASE_FOLDER = 'database';
/**
 * Begins the name of a database folder that is not complete. The process that holds the lock removes those that a
 * killed process has left. The name says which program made it, because DATA_DIR may contain files of other programs.
 */
export const UNFINISHED_PREFIX = '.port-allocator-unfinished-';
const UNFINISHED = /^\.port-allocator-unfinished-\d+$/;

/**
 * Opens PGlite (PostgreSQL in WebAssembly) in `dataDir`, and creates the database if there is none.
 *
 * The directory is locked first, because two processes on one directory would lose data without any error. A process
 * that is killed while it creates a database leaves a folder that can never be opened. Therefore the database is
 * created in a temporary folder, which is then renamed.
 * @throws DataDirLockedError when another process has the data directory open
 */
export async function openEmbedded(
  dataDir: string,
  takeLock: typeof lockDataDir,
): Promise<{ pool: pg.Pool; close(): Promise<void> }> {
  const lock = await takeLock(dataDir);
  try {
    const folder = join(dataDir, DATABASE_FOLDER);
    const pglite = await explainingDataDir(async () => {
      await removeUnfinished(dataDir);
      if (!(await exists(folder))) await createDatabase(dataDir, folder);
      return openFolder(folder);
    });
    const pool = new pg.Pool(Object.assign(createPgConfig(pglite), { pipeline: true })); // for `PipelinedConnection`
    return {
      pool,
      async close() {
        await pglite.close();
        await lock.release();
      },
    };
  } catch (error) {
    await lock.release();
    throw error;
  }
}

async function openFolder(folder: string): Promise<PGlite> {
  try {
    return await PGlite.create(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).syscall !== undefined) throw error;
    throw new StartError(
      `DATA_DIR: the database in ${folder} cannot be opened: ${(error as Error).message ?? error}. ` +
        'Move that folder away, and restore a backup (docs/backup.md).',
      { cause: error },
    );
  }
}

async function createDatabase(dataDir: string, folder: string): Promise<void> {
  const unfinished = join(dataDir, `${UNFINISHED_PREFIX}${process.pid}`);
  await mkdir(unfinished);
  const pglite = await PGlite.create(unfinished);
  await pglite.close();
  await rename(unfinished, folder);
}

async function removeUnfinished(dataDir: string): Promise<void> {
  for (const name of await readdir(dataDir)) {
    if (UNFINISHED.test(name)) await rm(join(dataDir, name), { recursive: true, force: true });
  }
}

export async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
