import { type ListeningSocket, readListeningSockets } from '../../machine/listening-sockets.js';

/** The ports on which something listens on this machine, as its kernel lists them (Linux, proc(5)). */
export interface LoopbackPorts {
  /** Those on which a socket may accept connections over loopback, to 127.0.0.1 or ::1. */
  readonly all: ReadonlySet<number>;
  /** Of these, those on which a socket may accept connections to ::1. */
  readonly ipv6: ReadonlySet<number>;
}

/**
 * Addresses on which a socket accepts connections over loopback: 0.0.0.0, 127.0.0.0/8, ::, ::1 and
 * ::ffff:127.0.0.0/104.
 */
const REACHED_OVER_LOOPBACK = /^(00000000|......7F|0{32}|0{24}01000000|0{16}FFFF0000......7F)$/;

/** @returns null if the list cannot be had: this is not Linux, or the list is empty, as WSL 1 keeps it */
export async function readLoopbackPorts(): Promise<LoopbackPorts | null> {
  const read = async (family: 'tcp' | 'tcp6') => (await readListeningSockets(family)).filter(isReachedOverLoopback);
  const tables = await Promise.all([read('tcp'), read('tcp6')]).catch(() => null);
  if (tables === null) return null;
  const [ipv4, ipv6] = tables.map((sockets) => new Set(sockets.map(({ port }) => port))) as [Set<number>, Set<number>];
  return ipv4.size + ipv6.size === 0 ? null : { all: new Set([...ipv4, ...ipv6]), ipv6 };
}

const isReachedOverLoopback = ({ hexAddress }: ListeningSocket) => REACHED_OVER_LOOPBACK.test(hexAddress);
