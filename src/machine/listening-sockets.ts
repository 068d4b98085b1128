import { open, readdir, readFile, readlink } from 'node:fs/promises';
import { basename } from 'node:path';
import { makeVisible } from '../input/visible.js';

/** A TCP socket that listens on this machine, as its kernel lists it (Linux, proc(5)). */
export interface ListeningSocket {
  /** 32-bit words in hexadecimal digits and in the machine's byte order, which is little-endian here. */
  readonly hexAddress: string;
  readonly port: number;
  readonly inode: string;
}

const LISTEN = '0A';

/**
 * Reads the sockets that listen, and stops at the first that does not. The kernel lists those that listen first
 * (tcp_seq_start() in net/ipv4/tcp_ipv4.c), and after them every connection, of which a busy machine has tens of
 * thousands, at 5 µs each.
 * @throws if this is not Linux, or /proc is mounted without this file
 */
export async function readListeningSockets(family: 'tcp' | 'tcp6'): Promise<ListeningSocket[]> {
  const found: ListeningSocket[] = [];
  const file = await open(`/proc/net/${family}`);
  try {
    for await (const line of file.readLines({ encoding: 'latin1', autoClose: false })) {
      const [slot, local = '', , state, , , , , , inode = ''] = line.trim().split(/\s+/);
      if (slot === 'sl') continue; // the heading
      if (state !== LISTEN) break;
      const [hexAddress = '', port = ''] = local.split(':');
      found.push({ hexAddress, port: Number.parseInt(port, 16), inode });
    }
    return found;
  } finally {
    await file.close();
  }
}

/**
 * Finds the process of each socket. If a parent and its children share a socket, that is the one with the lowest number,
 * which usually is the parent.
 * @param hasTime asked before each process; the search ends early if it answers false
 * @returns the pids by inode, without the sockets whose process this user may not see
 */
export async function findSocketOwners(
  inodes: Iterable<string>,
  hasTime: () => boolean = () => true,
): Promise<Map<string, number>> {
  const missing = new Set(inodes);
  const owners = new Map<string, number>();
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
  if (path !== null) return makeVisible(basename(path.replace(/ \(deleted\)$/, '')));
  const comm = await readFile(`/proc/${pid}/comm`, 'utf8').catch(() => null);
  return comm && makeVisible(comm.replace(/\n$/, ''));
}

/** @returns nothing for a folder of another user's process, or of a process that has just ended */
function listFolder(folder: string): Promise<string[]> {
  return readdir(folder).catch(() => []);
}
