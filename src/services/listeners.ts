import { open, readdir, readFile, readlink } from 'node:fs/promises';
import { basename } from 'node:path';

/** Sockets that listen on this machine, as its kernel tells them (Linux, proc(5)). */
export interface Listeners {
  /** Ports on which a connection to ::1 could meet a listener. */
  readonly ipv6Loopback: ReadonlySet<number>;
  /** Socket inodes by the port on which they accept what comes over loopback. */
  readonly inodes: ReadonlyMap<number, readonly string[]>;
}

/** @returns null where the kernel does not tell: no Linux, or nothing at all listens by its account */
export async function readListeners(): Promise<Listeners | null> {
  const tables = await Promise.all(['/proc/net/tcp', '/proc/net/tcp6'].map(readListening)).catch(() => null);
  if (tables === null) return null;
  const [ipv4 = [], ipv6 = []] = tables;
  if (ipv4.length + ipv6.length === 0) return null; // a kernel that keeps the table empty, as WSL 1 does
  const inodes = new Map<number, string[]>();
  for (const { port, inode } of [...ipv4, ...ipv6]) inodes.set(port, [...(inodes.get(port) ?? []), inode]);
  return { ipv6Loopback: new Set(ipv6.map(({ port }) => port)), inodes };
}

/**
 * Names the process behind each port, as far as this user may know: "node, pid 812".
 * @returns what it could name
 */
export async function nameListeners(listeners: Listeners, ports: Iterable<number>): Promise<Map<number, string>> {
  const portOf = new Map<string, number>();
  for (const port of ports) {
    for (const inode of listeners.inodes.get(port) ?? []) portOf.set(inode, port);
  }
  const names = new Map<number, string>();
  const pids = (await list('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);
  // By number: of a parent and its children that share a socket, the parent usually comes first.
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
/** Addresses as the kernel writes them: 32-bit words in the machine's byte order, which is little-endian here. */
const REACHED_OVER_LOOPBACK = /^(00000000|......7F|0{32}|0{24}01000000|0{16}FFFF0000......7F)$/;

/**
 * Reads as far as the listeners go. The kernel lists them first (tcp_seq_start() in net/ipv4/tcp_ipv4.c), and
 * after them every connection, of which a busy machine has tens of thousands, at 5 µs each.
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
  const links = await Promise.all((await list(folder)).map((fd) => readlink(`${folder}/${fd}`).catch(() => '')));
  return links.flatMap((link) => /^socket:\[(\d+)\]$/.exec(link)?.[1] ?? []);
}

/** The program's file name; a process may call itself and its threads anything. */
async function nameOf(pid: number): Promise<string> {
  const path = await readlink(`/proc/${pid}/exe`).catch(() => null);
  if (path !== null) return basename(path.replace(/ \(deleted\)$/, ''));
  return (await readFile(`/proc/${pid}/comm`, 'utf8').catch(() => 'a process')).trim();
}

/** Another user's folder, or that of a process that just ended, is empty. */
function list(folder: string): Promise<string[]> {
  return readdir(folder).catch(() => []);
}
