import { access, constants, stat, statfs } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { DATABASE_FOLDER } from '../../embedded/data-folder.js';
import { type Finding, right, warning, wrong } from './finding.js';

/** The registry grows by kilobytes. With less than this, another program will have filled the disk soon. */
const LEAST_FREE_BYTES = 100 * 2 ** 20;
const OTHERS = 0o077;

/** What can be seen of a data folder. */
export interface Folder {
  path: string;
  /** Null if there is none yet. */
  found: { isFolder: boolean; uid: number; mode: number } | null;
  /** Of the folder, or else of the nearest one above it, in which it would be created. */
  isWritable: boolean;
  freeBytes: number | null;
}

export async function observeFolder(path: string): Promise<Folder> {
  const found = await stat(path).catch(() => null);
  const nearest = await findExisting(path);
  return {
    path,
    found: found && { isFolder: found.isDirectory(), uid: found.uid, mode: found.mode & 0o777 },
    isWritable: await access(nearest, constants.W_OK | constants.X_OK).then(
      () => true,
      () => false,
    ),
    freeBytes: await statfs(nearest).then(
      ({ bavail, bsize }) => bavail * bsize,
      () => null,
    ),
  };
}

/** @param uid of this user; undefined on Windows, where files have neither owners by number nor modes */
export function checkFolder({ path, found, isWritable, freeBytes }: Folder, uid: number | undefined): Finding {
  const elsewhere = 'or set PORT_ALLOCATOR_DATA_DIR to another folder';
  if (found && !found.isFolder) return wrong('data-folder', `${path} is no folder.`, `Move it away, ${elsewhere}.`);
  if (found && uid !== undefined && found.uid !== uid) {
    return wrong(
      'data-folder',
      `${path} belongs to another user (uid ${found.uid}).`,
      `Run chown ${uid} ${path}, ${elsewhere}.`,
    );
  }
  if (!isWritable) {
    const what = found ? `${path} cannot be written` : `${path} cannot be created`;
    return wrong('data-folder', `${what} by this user.`, `Give this user the right to write there, ${elsewhere}.`);
  }
  if (found && uid !== undefined && (found.mode & OTHERS) !== 0) {
    const mode = found.mode.toString(8).padStart(4, '0');
    return wrong('data-folder', `${path} is open to other users (mode ${mode}).`, `Run chmod 700 ${path}.`);
  }
  if (freeBytes !== null && freeBytes < LEAST_FREE_BYTES) {
    const free = Math.floor(freeBytes / 2 ** 20);
    return wrong('data-folder', `The disk with ${path} is full: ${free} MiB are free.`, `Make room, ${elsewhere}.`);
  }
  return right('data-folder', `${path} ${found ? 'can be written, and is closed to other users.' : 'can be created.'}`);
}

/**
 * A second registry of the same user, which gives out the same ports again.
 * @param usual where the folder is if no variable names another one
 */
export async function checkOtherFolder(path: string, usual: string): Promise<Finding[]> {
  if (path === usual || usual === '') return [];
  const hasRegistry = (folder: string) =>
    stat(join(folder, DATABASE_FOLDER)).then(
      () => true,
      () => false,
    );
  if (!(await hasRegistry(usual))) return [];
  return [
    warning(
      'second-registry',
      `There is another registry in ${usual}, the usual folder. It knows nothing of this one in ${path}.`,
      'If both are used, the same port is given out twice: set PORT_ALLOCATOR_DATA_DIR or XDG_DATA_HOME for all of them, or for none.',
    ),
  ];
}

/** @returns the folder itself, or the nearest one above it that exists */
async function findExisting(path: string): Promise<string> {
  const isThere = await stat(path).then(
    () => true,
    () => false,
  );
  return isThere || dirname(path) === path ? path : findExisting(dirname(path));
}
