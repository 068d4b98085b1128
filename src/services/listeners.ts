import { open, readdir, readFile, readlink } from 'node:fs/promises';
import { basename } from 'node:path';
import { makeVisible } from '../input/visible.js';

/** The TCP sockets that listen on this machine, as its kernel lists them (Linux, proc(5)). */
export interface Listeners {
  /** Ports on which a socket may accept connections to ::1. */
  readonly ipv6Loopback: ReadonlySet<number>;
  /** By port, the inodes of the sockets that accept connections over loopback, to 127.0.0.1 or ::1. */
  readonly inodes: ReadonlyMap<number, readonly string[]>;
}

/** @returns null if the list cannot be had: this is not Linux, or the list is empty, as WSL 1 keeps it */
export async function readListeners(): Promise<Listeners | null> {
  const tables = await Promise.all(['/proc/net/tcp', '/proc/net/tcp6'].map(readListening)).catch(() => null);
  if (tables === null) return null;
  const [ipv4 = [], ipv6 = []] = tables;
  if (ipv4.length + ipv6.length === 0) return null;
  const inodes = new Map<number, string[]>();
  for (const { port, inode } of [...ipv4, ...ipv6]) inodes.set(port, [...(inodes.get(port) ?? []), inode]);
  return { ipv6Loopback: new Set(ipv6.map(({ port }) => port)), inodes };
}

/**
 * Names the process that listens on each port, such as "node, pid 812".
 * @returns the names by port, without the ports whose process this user may not see
 */
export async function nameListeners(listeners: Listeners, ports: Iterable<number>): Promise<Map<number, string>> {
  const portOf = new Map<string, number>();
  for (const port of ports) {
    for (const inode of listeners.inodes.get(port) ?? []) portOf.set(inode, port);
  }
  const names = new Map<number, string>();
  const pids = (await listFolder('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);
  // In the order of their numbers: if a parent and its children share a socket, the parent usually has the lowest.
  for (const pid of pids.sort((a, b) => a - b)) {
    if (portOf.size === 0) break;
    for (const inode of await socketsOf(pid)) {
      const port = portOf.get(inode);
      if (port === undefined) continue;
      portOf.delete(inode);
      if (!names.has(port)) names.set(port, `${await nameOf(pid)}, pid ${pid}`);
    }
  }
  return names;
}

const LISTEN = '0A';
/**
 * Addresses on which a socket accepts connections over loopback: 0.0.0.0, 127.0.0.0/8, ::, ::1 and
 * ::ffff:127.0.0.0/104. The kernel writes them as 32-bit words in the machine's byte order, which is little-endian
 * here.
 */
const REACHED_OVER_LOOPBACK = /^(00000000|......7F|0{32}|0{24}01000000|0{16}FFFF0000......7F)$/;

/**
 * Reads the sockets that listen, and stops at the first that does not. The kernel lists those that listen first
 * (tcp_seq_start() in net/ipv4/tcp_ipv4.c), and after them every connection, of which a busy machine has tens of
 * thousands, at 5 µs each.
 */
async function readListening(path: string): Promise<{ port: number; inode: string }[]> {
  const found: { port: number; inode: string }[] = [];
  const file = await open(path);
  try {
    for await (const line of file.readLines({ encoding: 'latin1', autoClose: false })) {
      const [slot, local = '', , state, , , , , , inode = ''] = line.trim().split(/\s+/);
      if (slot === 'sl') continue; // the heading
      if (state !== LISTEN) break;
      const [address = '', port = ''] = local.split(':');
      if (REACHED_OVER_LOOPBACK.test(address)) found.push({ port: Number.parseInt(port, 16), inode });
    }
    return found;
  } finally {
    await file.close();
  }
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
async function nameOf(pid: number): Promise<string> {
  const path = await readlink(`/proc/${pid}/exe`).catch(() => null);
  if (path !== null) return makeVisible(basename(path.replace(/ \(deleted\)$/, '')));
  return makeVisible((await readFile(`/proc/${pid}/comm`, 'utf8').catch(() => 'a process')).replace(/\n$/, ''));
}

/** @returns nothing for a folder of another user's process, or of a process that has just ended */
function listFolder(folder: string): Promise<string[]> {
  return readdir(folder).catch(() => []);
}
