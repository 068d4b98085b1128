import { mkdir, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { PGlite } from '@electric-sql/pglite';
import { createPgConfig } from '@electric-sql/pglite/node-postgres';
import pg from 'pg';
import { StartError } from '../errors.js';
import type { DataDirLock } from './data-dir-lock.js';
import {
  closeTree,
  DATABASE_FOLDER,
  exists,
  explainingDataDir,
  isDiskFull,
  UNFINISHED,
  UNFINISHED_PREFIX,
} from './data-folder.js';
import { findTemplate, unpackTemplate } from './template.js';

/**
 * Opens PGlite (PostgreSQL in WebAssembly) in `dataDir`, and creates the database if there is none.
 *
 * The directory is locked first, because two processes on one directory would lose data without any error. A process
 * that is killed while it creates a database leaves a folder that can never be opened. Therefore the database is
 * created in a temporary folder, which is then renamed. That folder is unpacked from the build's template, because
 * PostgreSQL's `initdb` and the migrations took 8 s and 800 MB.
 * @param template finds the archive; for tests
 * @param maxFiles how many files it may have open, at least 64; null for as many as it likes, which is some 250
 * @throws DataDirLockedError when another process has the data folder open
 */
export async function openEmbedded(
  dataDir: string,
  takeLock: (dataDir: string) => Promise<DataDirLock>,
  template: typeof findTemplate = findTemplate,
  maxFiles: number | null = null,
): Promise<{ pool: pg.Pool; close(): Promise<void> }> {
  const lock = await takeLock(dataDir);
  try {
    const folder = join(dataDir, DATABASE_FOLDER);
    const pglite = await explainingDataDir(async () => {
      await removeUnfinished(dataDir);
      if (!(await exists(folder))) await createDatabase(dataDir, folder, await template());
      return openFolder(folder, maxFiles);
    });
    const pool = new pg.Pool(Object.assign(createPgConfig(pglite), { pipeline: true })); // for `PipelinedConnection`
    return {
      pool,
      async close() {
        // Its last checkpoint would go into whatever is at the same paths by now.
        if (!(await lock.isLost())) await pglite.close();
        await lock.release();
      },
    };
  } catch (error) {
    await lock.release();
    throw error;
  }
}

async function openFolder(folder: string, maxFiles: number | null): Promise<PGlite> {
  await closeTree(folder);
  try {
    const limited = maxFiles === null ? [] : ['-c', `max_files_per_process=${maxFiles}`];
    const pglite = await PGlite.create(folder, { startParams: [...PGlite.defaultStartParams, ...limited] });
    await closeTree(folder);
    return pglite;
  } catch (error) {
    if (isDiskFull(error) || (error as NodeJS.ErrnoException).syscall !== undefined) throw error;
    throw new StartError(
      `DATA_DIR: the database in ${folder} cannot be opened: ${(error as Error).message ?? error}. ` +
        'Move that folder away, and restore a backup (docs/backup.md).',
      { cause: error },
    );
  }
}

async function createDatabase(dataDir: string, folder: string, template: string | null): Promise<void> {
  const unfinished = join(dataDir, `${UNFINISHED_PREFIX}${process.pid}`);
  await mkdir(unfinished, { mode: 0o700 });
  if (!template || !(await unpackTemplate(template, unfinished))) {
    const pglite = await PGlite.create(unfinished);
    await pglite.close();
  }
  await rename(unfinished, folder);
}

/** Only the process that holds the lock may call this. */
export async function removeUnfinished(dataDir: string): Promise<void> {
  for (const name of await readdir(dataDir)) {
    if (UNFINISHED.test(name)) await rm(join(dataDir, name), { recursive: true, force: true });
  }
}
