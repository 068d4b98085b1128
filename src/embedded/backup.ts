import { createWriteStream } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { PGlite } from '@electric-sql/pglite';
import { create, extract, type ReadEntry } from 'tar';
import { CommandRefused } from '../errors.js';
import { closeTree, DATABASE_FOLDER, exists, UNFINISHED_PREFIX } from './data-folder.js';
import { removeUnfinished } from './pglite.js';

/**
 * Writes the embedded database into a new archive. The caller holds the lock of the data directory, so that nobody has
 * the database open and its files do not change meanwhile. They form a whole database even if the last process was
 * killed.
 * @throws CommandRefused
 */
export async function backUp(dataDir: string, file: string): Promise<void> {
  await requireRegistry(dataDir);
  if (await exists(file)) throw new CommandRefused(`${file} exists already, and is left as it is. Give a new name.`);
  const partial = `${file}.partial`;
  try {
    await writeArchive(dataDir, partial);
    await rename(partial, file);
  } catch (error) {
    const { message } = error as Error;
    throw new CommandRefused(`${file} could not be written: ${message}. Nothing was backed up.`, { cause: error });
  } finally {
    await rm(partial, { force: true });
  }
}

/**
 * Puts the database of an archive into a data directory that has none. The archive is unpacked into a temporary folder,
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
    await readArchive(file, unfinished);
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

/** The folder of the archive may be open to others. The flag `wx` makes a new file, and follows no link. */
async function writeArchive(dataDir: string, path: string): Promise<void> {
  await rm(path, { force: true }); // left by a process that was killed
  const archive = create({ cwd: dataDir, gzip: true, strict: true }, [DATABASE_FOLDER]);
  await pipeline(Readable.from(archive), createWriteStream(path, { flags: 'wx', mode: 0o600, flush: true }));
}

/**
 * Unpacks files and folders, for this user alone. With `strict`, paths that lead out of the folder are refused. A backup
 * has neither links nor devices. By default, root would give each file to the owner that the archive names.
 */
async function readArchive(file: string, folder: string): Promise<void> {
  const others: string[] = [];
  await extract({
    file,
    cwd: folder,
    strict: true,
    strip: 1,
    preserveOwner: false,
    filter(path, entry) {
      const { type } = entry as ReadEntry;
      const isFolder = type === 'Directory';
      if (!isFolder && type !== 'File') others.push(`${path} (${type})`);
      entry.mode = isFolder ? 0o700 : 0o600;
      return others.length === 0;
    },
  });
  if (others.length > 0) throw new Error(`it holds more than files and folders: ${others[0]}`);
}
