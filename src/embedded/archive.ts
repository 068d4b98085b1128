import { createWriteStream } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { create, extract, type ReadEntry } from 'tar';
import { DATABASE_FOLDER } from './data-folder.js';

/**
 * Writes the database of a data folder into an archive, under another name that is then changed, so that `file` is
 * never half an archive. The database must not be open.
 */
export async function writeArchive(dataDir: string, file: string): Promise<void> {
  const partial = `${file}.partial`;
  try {
    await rm(partial, { force: true }); // left by a process that was killed
    const archive = create({ cwd: dataDir, gzip: true, strict: true }, [DATABASE_FOLDER]);
    // The folder of the archive may be open to others. The flag `wx` makes a new file, and follows no link.
    await pipeline(Readable.from(archive), createWriteStream(partial, { flags: 'wx', mode: 0o600, flush: true }));
    await rename(partial, file);
  } finally {
    await rm(partial, { force: true });
  }
}

/**
 * Unpacks files and folders, for this user alone. With `strict`, paths that lead out of the folder are refused. An
 * archive of a database has neither links nor devices. By default, root would give each file to the owner that the
 * archive names.
 *
 * Blocks this process meanwhile: otherwise files would still be written after an error, while the caller removes the
 * folder.
 */
export function readArchive(file: string, folder: string): void {
  const others: string[] = [];
  extract({
    sync: true,
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
