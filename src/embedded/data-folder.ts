import { constants, type Stats } from 'node:fs';
import { chmod, type FileHandle, lstat, mkdir, open, readdir, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { StartError } from '../errors.js';

export const DATABASE_FOLDER = 'database';
export const HOLDER_FILE = 'holder.json';
export const SOCKET = 'socket';
/** The log of the service in the background, and its older part. */
export const SERVICE_LOG = 'service.log';
export const OLD_SERVICE_LOG = 'service.log.1';
/**
 * Begins the name of a database folder that is not complete. The process that holds the lock removes those that a
 * killed process has left. The name says which program made it, because DATA_DIR may contain files of other programs.
 */
export const UNFINISHED_PREFIX = '.port-allocator-unfinished-';
export const UNFINISHED = /^\.port-allocator-unfinished-\d+$/;
/** With `lost+found`, which is in the topmost folder of a new file system. */
const OWN_NAMES = [
  'lock',
  'service.lock',
  SOCKET,
  HOLDER_FILE,
  `${HOLDER_FILE}.new`,
  SERVICE_LOG,
  OLD_SERVICE_LOG,
  DATABASE_FOLDER,
  'lost+found',
];

/** What the group and all others may do. */
const OTHERS = 0o077;
/** On Windows files have no owner by number and no mode. There, access to a folder is inherited from the one above. */
const OWN_UID = process.geteuid?.();
/** Zero on Windows, which lacks both. A named pipe in place of a file would block a process that opens it. */
const NO_FOLLOW = (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0);

/** The number that a full disk has in WebAssembly. The file system of PGlite throws it in objects that are no Error. */
const WASM_NO_SPACE = 51;

export const isDiskFull = (error: unknown): boolean => {
  const { code, name, errno } = error as NodeJS.ErrnoException;
  return code === 'ENOSPC' || (name === 'ErrnoError' && errno === WASM_NO_SPACE);
};

/**
 * Does work with the files of the data folder.
 * @throws StartError if the file system refuses it
 */
export async function explainingDataDir<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (isDiskFull(error)) {
      throw new StartError('DATA_DIR: its disk is full. Make room, or set it to a folder on another disk.', {
        cause: error,
      });
    }
    const { syscall, message } = error as NodeJS.ErrnoException;
    if (syscall === undefined) throw error;
    throw new StartError(
      `DATA_DIR: ${message}. Set it to a folder that this user may write, or to one that can be created.`,
      { cause: error },
    );
  }
}

/**
 * Creates the data folder if there is none, and makes sure that no other user of the machine can read or change what
 * is in it, as PostgreSQL does with its own. A folder that is open to others is closed (mode 0700), unless it holds
 * files that this program did not make: whoever sets DATA_DIR to /etc or to a home folder does not mean to close that.
 * The folders above are not judged.
 *
 * It also sets the umask of this process, so that the socket and whatever else is created without a mode is closed from
 * the beginning. Whoever opens the database locks the data folder first, and so calls this function first.
 * @throws StartError
 */
export async function requirePrivateFolder(dataDir: string): Promise<void> {
  if (OWN_UID !== undefined) process.umask(OTHERS);
  await createFolder(dataDir);
  if (OWN_UID === undefined) return;
  const below = join(dataDir, 'port-allocator');
  // Whoever owns a link can let it lead elsewhere. One of root is as good as one of this user.
  const link = await lstat(resolve(dataDir));
  if (link.isSymbolicLink() && !isOwn(link) && link.uid !== 0) throw notOurs(dataDir);
  const folder = await stat(dataDir);
  if (!isOwn(folder)) {
    throw new StartError(
      `DATA_DIR: ${dataDir} belongs to another user (uid ${folder.uid}; this process has ${OWN_UID}), who could read and ` +
        `replace the registry. Set DATA_DIR to a new folder, such as ${below}, which is then created; or give this one ` +
        `to the user of this process (chown ${OWN_UID} ${dataDir}); or run the process as the owner of the folder.`,
    );
  }
  if ((folder.mode & OTHERS) === 0) return;
  const mode = `mode ${(folder.mode & 0o777).toString(8).padStart(4, '0')}`;
  const others = (await readdir(dataDir)).filter((name) => !OWN_NAMES.includes(name) && !UNFINISHED.test(name));
  if (others.length > 0) {
    throw new StartError(
      `DATA_DIR: ${dataDir} is open to other users (${mode}), and is not closed here, because it holds files of ` +
        `something else (${others.slice(0, 3).join(', ')}). If the registry is in it already, close it (chmod 700 ` +
        `${dataDir}), or move those files away. Otherwise set DATA_DIR to an empty folder, or to a new one, such as ` +
        `${below}, which is then created.`,
    );
  }
  await chmod(dataDir, 0o700);
  if (((await stat(dataDir)).mode & OTHERS) === 0) return;
  throw new StartError(
    `DATA_DIR: ${dataDir} is open to other users (${mode}), and its file system does not let it be closed. Set DATA_DIR ` +
      'to a folder on a file system that keeps modes.',
  );
}

/**
 * Opens a file of the data folder, without following a link.
 * @throws StartError if a link is there, or anything else but a regular file of this user
 */
export async function openOwnFile(path: string, flags: number): Promise<FileHandle> {
  let file: FileHandle;
  try {
    file = await open(path, flags | NO_FOLLOW, 0o600);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ELOOP') throw notOurs(path, { cause: error });
    throw error;
  }
  const found = await file.stat();
  if (found.isFile() && isOwn(found)) return file;
  await file.close();
  throw notOurs(path);
}

/**
 * Closes a folder of the data folder, and all that is in it, to other users. It goes from the top down: once a folder
 * is closed, nobody else can change what is looked at below it, even with a process that stands in it already.
 *
 * Only the process that holds the lock may call this. It does so before it opens a database, because a copy may have
 * other modes, and afterwards, because PGlite gives some of the files that it creates the mode 0644 or 0666, whatever
 * the umask says. Meanwhile only the folders protect them.
 * @throws StartError if a link is in it, or something that belongs to another user
 */
export async function closeTree(path: string): Promise<void> {
  if (OWN_UID === undefined) return;
  const found = await lstat(path);
  if (!isOwn(found) || !(found.isDirectory() || found.isFile())) throw notOurs(path);
  if ((found.mode & OTHERS) !== 0) await chmod(path, found.isDirectory() ? 0o700 : 0o600);
  if (!found.isDirectory()) return;
  for (const name of await readdir(path)) await closeTree(join(path, name));
}

/** Whether something belongs to the user of this process. */
export const isOwn = ({ uid }: Pick<Stats, 'uid'>): boolean => OWN_UID === undefined || uid === OWN_UID;

/** Whether only the user of this process (and root) can reach what is in this folder. */
export const isPrivate = (folder: Stats): boolean =>
  folder.isDirectory() && isOwn(folder) && (OWN_UID === undefined || (folder.mode & OTHERS) === 0);

/** Whether something has this name, and be it a link that leads nowhere. */
export const exists = (path: string): Promise<boolean> =>
  lstat(path).then(
    () => true,
    () => false,
  );

function notOurs(path: string, options?: ErrorOptions): StartError {
  return new StartError(
    `DATA_DIR: ${path} was not made by this user's Port Allocator: it is a link, or belongs to another user, or is no ` +
      'regular file. Find out who put it there, and move it away.',
    options,
  );
}

/**
 * Creates a folder, and the folders above it that are missing. Node's own recursive `mkdir` tries for ever where the
 * system answers ENOENT although the folder above exists, as in /proc.
 */
async function createFolder(path: string): Promise<void> {
  try {
    await mkdir(path, { mode: 0o700 });
  } catch (error) {
    if (await isFolder(path)) return;
    const above = dirname(path);
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || above === path || (await isFolder(above))) throw error;
    await createFolder(above);
    await createFolder(path);
  }
}

const isFolder = (path: string): Promise<boolean> =>
  stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
