import { isIP } from 'node:net';
import { networkInterfaces } from 'node:os';
import { isLoopback } from '../../schemas/host.js';

/**
 * What this process or its machine can run out of, by the error that a system call then gives, and how it goes on. Such
 * an error says nothing about the port that was probed.
 */
const SHORTAGES: Record<string, (openFiles: number | null) => string> = {
  EMFILE: (openFiles) =>
    `This process may have ${openFiles ?? 'only so many'} open files (ulimit -n), and has used them up. ` +
    'Raise that limit, or lower PROBE_CONCURRENCY.',
  ENFILE: () =>
    'The machine of this service has no file descriptors left (fs.file-max on Linux). End what has so many open, or ' +
    'raise that limit.',
  ENOBUFS: () => NO_MEMORY,
  ENOMEM: () => NO_MEMORY,
  EADDRNOTAVAIL: () => NO_LOCAL_PORT,
  EAGAIN: () => NO_LOCAL_PORT,
};
const NO_MEMORY =
  'The kernel of the machine of this service has no memory left for another socket. Close connections, or give the ' +
  'machine more memory.';
const NO_LOCAL_PORT =
  'The machine of this service has no local port left for another connection to there ' +
  '(net.ipv4.ip_local_port_range on Linux). Wait until connections have been closed, or widen that range.';

/** Whether an error means that this process, or its machine, has run out of something. */
export const isShortage = (code: string | undefined): boolean => code !== undefined && Object.hasOwn(SHORTAGES, code);

/** Which limit was reached, and what to do. @param openFiles how many files this process may have open, if it is known */
export function describeShortage(code: string, openFiles: number | null): string {
  return SHORTAGES[code]?.(openFiles) ?? `This service ran out of something (${code}).`;
}

/**
 * Whether this machine has an address from which a connection to `address` could come. Without one the error is
 * EADDRNOTAVAIL as well: ::1 gives it where IPv6 is switched off, as it is in many containers. That is no shortage,
 * because nobody on this machine can listen on such an address.
 */
export function hasAddressFor(address: string, interfaces = networkInterfaces): boolean {
  const family = `IPv${isIP(address)}`;
  try {
    const own = Object.values(interfaces()).flatMap((addresses) => addresses ?? []);
    return own.some((one) => one.family === family && one.internal === isLoopback(address));
  } catch {
    return true; // to ask the kernel for its addresses takes a descriptor, and there may be none
  }
}
