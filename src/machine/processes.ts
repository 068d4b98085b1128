import { readdir, readFile, readlink, stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { makeVisible } from '../input/visible.js';

/**
 * Finds the process of each socket (Linux). If a parent and its children share a socket, that is the one with the lowest
 * number, which usually is the parent.
 * @param hasTime asked before each process; the search ends early if it answers false
 * @returns the pids by inode, without the sockets whose process this user may not see
 */
export async function findSocketOwners(
  inodes: Iterable<string>,
  hasTime: () => boolean = () => true,
): Promise<Map<string, number>> {
  const missing = new Set(inodes);
  const owners = new Map<string, number>();
  if (missing.size === 0) return owners;
  const pids = (await listFolder('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);
  for (const pid of pids.sort((a, b) => a - b)) {
    if (missing.size === 0 || !hasTime()) break;
    for (const inode of await socketsOf(pid)) {
      if (missing.delete(inode)) owners.set(inode, pid);
    }
  }
  return owners;
}

async function socketsOf(pid: number): Promise<string[]> {
  const folder = `/proc/${pid}/fd`;
  const links = await Promise.all((await listFolder(folder)).map((fd) => readlink(`${folder}/${fd}`).catch(() => '')));
  return links.flatMap((link) => /^socket:\[(\d+)\]$/.exec(link)?.[1] ?? []);
}

/**
 * The file name of the program that the process runs. `comm` is the second choice: a process can set it to anything.
 * Both can have any character but a slash, and people and agents read them.
 */
export async function nameProcess(pid: number): Promise<string | null> {
  const path = await readlink(`/proc/${pid}/exe`).catch(() => null);
  if (path !== null) return makeVisible(basename(withoutDeleted(path)));
  const comm = await readFile(`/proc/${pid}/comm`, 'utf8').catch(() => null);
  return comm && makeVisible(comm.replace(/\n$/, ''));
}

/**
 * The working folder of a process (Linux), as it is, with characters that are not seen.
 * @returns null for a process of another user, and for one in a container that shares this machine's network: the paths
 * in there are not those of this machine
 */
export async function readWorkingFolder(pid: number): Promise<string | null> {
  const folder = await readlink(`/proc/${pid}/cwd`).catch(() => null);
  if (folder === null) return null;
  const [root, ownRoot] = await Promise.all([stat(`/proc/${pid}/root`), stat('/')]).catch(() => []);
  return root && ownRoot && root.dev === ownRoot.dev && root.ino === ownRoot.ino ? withoutDeleted(folder) : null;
}

/** The kernel adds this to the path of a file or folder that was removed. */
const withoutDeleted = (path: string): string => path.replace(/ \(deleted\)$/, '');

/** @returns nothing for a folder of another user's process, or of a process that has just ended */
function listFolder(folder: string): Promise<string[]> {
  return readdir(folder).catch(() => []);
}
