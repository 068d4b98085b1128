import {
  findSocketOwners,
  type ListeningSocket,
  nameProcess,
  readListeningSockets,
} from '../../machine/listening-sockets.js';

/** The TCP sockets that listen on this machine, as its kernel lists them (Linux, proc(5)). */
export interface Listeners {
  /** Ports on which a socket may accept connections to ::1. */
  readonly ipv6Loopback: ReadonlySet<number>;
  /** By port, the inodes of the sockets that accept connections over loopback, to 127.0.0.1 or ::1. */
  readonly inodes: ReadonlyMap<number, readonly string[]>;
}

/**
 * Addresses on which a socket accepts connections over loopback: 0.0.0.0, 127.0.0.0/8, ::, ::1 and
 * ::ffff:127.0.0.0/104.
 */
const REACHED_OVER_LOOPBACK = /^(00000000|......7F|0{32}|0{24}01000000|0{16}FFFF0000......7F)$/;

/** @returns null if the list cannot be had: this is not Linux, or the list is empty, as WSL 1 keeps it */
export async function readListeners(): Promise<Listeners | null> {
  const read = async (family: 'tcp' | 'tcp6') => (await readListeningSockets(family)).filter(isReachedOverLoopback);
  const tables = await Promise.all([read('tcp'), read('tcp6')]).catch(() => null);
  if (tables === null) return null;
  const [ipv4, ipv6] = tables;
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
  const inodesOf = (port: number) => listeners.inodes.get(port) ?? [];
  const wanted = [...ports];
  const owners = await findSocketOwners(wanted.flatMap(inodesOf));
  const names = new Map<number, string>();
  for (const port of wanted) {
    const pids = inodesOf(port).flatMap((inode) => owners.get(inode) ?? []);
    if (pids.length === 0) continue;
    const pid = Math.min(...pids);
    names.set(port, `${(await nameProcess(pid)) ?? 'a process'}, pid ${pid}`);
  }
  return names;
}

const isReachedOverLoopback = ({ hexAddress }: ListeningSocket) => REACHED_OVER_LOOPBACK.test(hexAddress);
