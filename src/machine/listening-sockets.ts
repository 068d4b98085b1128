import { open, readFile } from 'node:fs/promises';

/** A socket that listens on this machine, as its kernel lists it (Linux, proc(5)). */
export interface ListeningSocket {
  /** 32-bit words in hexadecimal digits and in the machine's byte order, which is little-endian here. */
  readonly hexAddress: string;
  readonly port: number;
  readonly inode: string;
}

const LISTEN = '0A';
/** Of a UDP socket without a peer, which receives from everybody. */
const UNCONNECTED = '07';

/**
 * Reads the TCP sockets that listen, and stops at the first that does not. The kernel lists those that listen first
 * (tcp_seq_start() in net/ipv4/tcp_ipv4.c), and after them every connection, of which a busy machine has tens of
 * thousands, at 5 µs each.
 * @throws if this is not Linux, or /proc is mounted without this file
 */
export async function readListeningSockets(family: 'tcp' | 'tcp6'): Promise<ListeningSocket[]> {
  const found: ListeningSocket[] = [];
  const file = await open(`/proc/net/${family}`);
  try {
    for await (const line of file.readLines({ encoding: 'latin1', autoClose: false })) {
      const socket = readSocket(line);
      if (socket === null) continue; // the heading
      if (socket.state !== LISTEN) break;
      found.push(socket);
    }
    return found;
  } finally {
    await file.close();
  }
}

/**
 * Reads the UDP sockets that have no peer. The kernel lists them among the others.
 * @throws if this is not Linux, or /proc is mounted without this file
 */
export async function readUdpSockets(family: 'udp' | 'udp6'): Promise<ListeningSocket[]> {
  const lines = (await readFile(`/proc/net/${family}`, 'latin1')).split('\n');
  return lines.map(readSocket).filter((socket) => socket?.state === UNCONNECTED) as ListeningSocket[];
}

/**
 * Both lists together. The second is missing where IPv6 is switched off.
 * @returns null if there is no such list
 */
export async function readFamilies(
  ipv4: Promise<ListeningSocket[]>,
  ipv6: Promise<ListeningSocket[]>,
): Promise<ListeningSocket[] | null> {
  const families = await Promise.all([ipv4, ipv6.catch(() => [])]).catch(() => null);
  return families === null ? null : families.flat();
}

function readSocket(line: string): (ListeningSocket & { state: string }) | null {
  const [slot, local = '', , state, , , , , , inode] = line.trim().split(/\s+/);
  if (slot === 'sl' || state === undefined || inode === undefined) return null;
  const [hexAddress = '', port = ''] = local.split(':');
  return { hexAddress, port: Number.parseInt(port, 16), inode, state };
}

/** `00000000`, `0100007F`, `0000000000000000FFFF00000100007F`: words of four bytes, the lowest byte first. */
export function toAddress(hexAddress: string): string {
  const bytes = (hexAddress.match(/.{8}/g) ?? []).flatMap((word) => (word.match(/../g) ?? []).reverse());
  if (/^0+$/.test(hexAddress)) return '*';
  const isMapped = /^0{20}ffff$/i.test(bytes.slice(0, -4).join(''));
  if (bytes.length === 4 || isMapped)
    return bytes
      .slice(-4)
      .map((byte) => Number.parseInt(byte, 16))
      .join('.');
  const groups = bytes.join('').match(/.{4}/g) ?? [];
  return new URL(`http://[${groups.join(':')}]`).hostname.slice(1, -1); // written short, as in `::1`
}
