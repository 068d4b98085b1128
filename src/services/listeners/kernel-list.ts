import { readListeningSockets } from '../../machine/listening-sockets.js';

/** The ports on which something listens on this machine, on any address, as its kernel lists them (Linux, proc(5)). */
export interface KernelList {
  readonly all: ReadonlySet<number>;
  /** Of these, those with a socket that has an IPv6 address. */
  readonly ipv6: ReadonlySet<number>;
}

/** @returns null if the list cannot be had: this is not Linux, or the list is empty, as WSL 1 keeps it */
export async function readKernelList(): Promise<KernelList | null> {
  const read = async (family: 'tcp' | 'tcp6') => (await readListeningSockets(family)).map(({ port }) => port);
  const tables = await Promise.all([read('tcp'), read('tcp6')]).catch(() => null);
  if (tables === null) return null;
  const [ipv4, ipv6] = tables;
  return ipv4.length + ipv6.length === 0 ? null : { all: new Set([...ipv4, ...ipv6]), ipv6: new Set(ipv6) };
}
