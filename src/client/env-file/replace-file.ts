import { randomBytes } from 'node:crypto';
import { constants, type Stats } from 'node:fs';
import { access, lstat, open, readFile, realpath, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { ClientFailure } from '../failure.js';

/** How long another process may take to write the same file. It takes milliseconds. */
const MAX_WAIT_MS = 10_000;
const RETRY_MS = 10;

/**
 * Changes a file so that whoever reads it finds the old content or the new one, and never a part, also after a crash.
 * Of several that change it at once, each sees what the one before has written. The mode and the owner stay; a new file
 * gets those that the umask gives, as from any other program. A symbolic link stays, and the file that it leads to is
 * changed.
 *
 * The file is replaced by a new one. A hard link to it keeps the old content, and access control lists are not kept.
 * @param change gets the bytes, empty if there is no file yet. Whatever it throws leaves the file as it is
 * @returns whether the content is another one now
 * @throws ClientFailure refused, if the file cannot be written
 */
export async function replaceFile(file: string, change: (content: Buffer) => Buffer): Promise<boolean> {
  const target = await findTarget(file);
  try {
    const unlock = await lock(`${target}.port-allocator-lock`, file);
    try {
      const present = await readPresent(target);
      const content = change(present?.content ?? Buffer.alloc(0));
      if (present?.content.equals(content)) return false;
      await write(target, content, present?.stats ?? null);
      return true;
    } finally {
      await unlock();
    }
  } catch (error) {
    throw error instanceof ClientFailure ? error : toFailure(file, error as NodeJS.ErrnoException);
  }
}

/** Follows symbolic links. @throws ClientFailure for what is no regular file, and for a link that leads nowhere */
async function findTarget(file: string): Promise<string> {
  const stats = await lstat(file).catch(() => null);
  if (stats === null) return join(await realpath(dirname(file)).catch(() => dirname(file)), basename(file));
  const target = await realpath(file).catch(() => null);
  const fail = (what: string, nextStep: string) => new ClientFailure('refused', `${file} ${what}.`, nextStep);
  if (target === null) throw fail('is a link to a file that is not there', 'Create that file, or remove the link.');
  const kind = await stat(target);
  if (kind.isDirectory()) throw fail('is a folder', 'Name a file.');
  if (!kind.isFile()) throw fail('is no regular file', 'Name a file with --write.');
  return target;
}

async function readPresent(target: string): Promise<{ content: Buffer; stats: Stats } | null> {
  try {
    // A file that is read-only could be replaced all the same, because that is a matter of its folder.
    await access(target, constants.R_OK | constants.W_OK);
    return { content: await readFile(target), stats: await stat(target) };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

async function write(target: string, content: Buffer, present: Stats | null): Promise<void> {
  const temporary = `${target}.${process.pid}-${randomBytes(4).toString('hex')}.tmp`;
  try {
    const handle = await open(temporary, 'wx', present ? 0o600 : 0o666);
    try {
      await handle.writeFile(content);
      if (present) await keepOwnerAndMode(handle, present);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, target);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

async function keepOwnerAndMode(handle: Awaited<ReturnType<typeof open>>, { uid, gid, mode }: Stats): Promise<void> {
  const own = await handle.stat();
  if (process.platform !== 'win32' && (own.uid !== uid || own.gid !== gid)) await handle.chown(uid, gid);
  await handle.chmod(mode & 0o7777);
}

/**
 * Takes the lock of a file, which is a file beside it. The kernel frees it when its holder is dead, so that what a crash
 * leaves behind stops nobody. Its name is one that no other program uses, because the file is removed in the end:
 * `yarn.lock`, for example, would be the lock of a file `yarn`.
 * @returns gives it back, and removes the lock's file
 */
async function lock(path: string, file: string): Promise<() => Promise<void>> {
  // biome-ignore lint/style/noRestrictedImports: loaded only to write a file; no other lock is free when its holder dies
  const { tryLock } = await import('fs-native-extensions');
  const deadline = performance.now() + MAX_WAIT_MS;
  for (;;) {
    const handle = await open(path, constants.O_RDWR | constants.O_CREAT | (constants.O_NOFOLLOW ?? 0), 0o600);
    // Its holder removes the file before it frees it. What was waited for may then be a file that nobody finds any more.
    const isOurs = tryLock(handle.fd) && (await isAt(path, (await handle.stat()).ino));
    if (isOurs) {
      return async () => {
        await rm(path, { force: true });
        await handle.close();
      };
    }
    await handle.close();
    if (performance.now() > deadline) {
      throw new ClientFailure('refused', `${file} is being written by another process.`, 'Try again later.');
    }
    await setTimeout(RETRY_MS);
  }
}

const isAt = async (path: string, inode: number): Promise<boolean> =>
  (await stat(path).catch(() => null))?.ino === inode;

function toFailure(file: string, { code, message }: NodeJS.ErrnoException): ClientFailure {
  const fail = (what: string, nextStep: string) => new ClientFailure('refused', `${file} ${what}.`, nextStep);
  switch (code) {
    case 'EACCES':
    case 'EROFS':
      return fail('cannot be written', 'Make the file and its folder writable for this user.');
    case 'EPERM':
      return fail('belongs to another user, and would not after it was written', 'Write it as its owner.');
    case 'ENOENT':
    case 'ENOTDIR':
      return fail('is in a folder that is not there', 'Create the folder first.');
    default:
      return fail(`cannot be written: ${message}`, 'It was left as it is.');
  }
}
