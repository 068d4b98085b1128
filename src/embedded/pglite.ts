import { mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { PGlite } from '@electric-sql/pglite';
import { createPgConfig } from '@electric-sql/pglite/node-postgres';
import pg from 'pg';
import type { lockDataDir } from './data-dir-lock.js';

export const DATABASE_FOLDER = 'database';
/** What is not renamed yet; whoever has the lock removes it. Of this program alone: DATA_DIR may be a folder that has others' files in it. */
export const UNFINISHED_PREFIX = '.port-allocator-unfinished-';
const UNFINISHED = /^\.port-allocator-unfinished-\d+$/;

/**
 * Opens PGlite (PostgreSQL in WebAssembly) in `dataDir`, creating it when it is not there yet.
 *
 * Two processes on one directory lose data silently, so the directory is locked first. A process
 * killed while the database is first created would leave a directory that never opens again, so it
 * is created beside its place and then renamed; what a killed creation left behind is removed.
 * @throws DataDirLockedError when another process has the data directory open
 */
export async function openEmbedded(
  dataDir: string,
  takeLock: typeof lockDataDir,
): Promise<{ pool: pg.Pool; close(): Promise<void> }> {
  const lock = await takeLock(dataDir);
  try {
    const folder = join(dataDir, DATABASE_FOLDER);
    await removeUnfinished(dataDir);
    if (!(await exists(folder))) await createDatabase(dataDir, folder);
    const pglite = await PGlite.create(folder);
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
