import { createSocket, type SocketType } from 'node:dgram';
import { createServer } from 'node:net';
import { setTimeout } from 'node:timers/promises';

/**
 * The errors that say that a server cannot have the port: somebody listens there; or the system has set the port aside,
 * as Windows does for whole spans. Any other error is about this process, which may have no descriptors left, and says
 * nothing of the port.
 */
const UNUSABLE = ['EADDRINUSE', 'EACCES'];

/**
 * On Linux and Windows, a listener on any address stands in the way of a server on all addresses. BSD and macOS let such
 * a server start beside a listener on 127.0.0.1, which then gets the connections. So these addresses are tried too.
 */
const ADDRESSES: readonly (string | undefined)[] =
  process.platform === 'linux' ? [undefined] : [undefined, '0.0.0.0', '127.0.0.1', '::1'];

/** Long enough that the trial of another process has ended, which may have stood in the way of the first one. */
const PAUSE_MS = 2;

/**
 * Finds the ports of this machine on which no server could listen now, by trying to, in the way a server does: on all
 * addresses, IPv4 and IPv6. Each trial ends at once. On Linux a trial of a TCP port takes 0.03 ms. To read the kernel's
 * lists of sockets instead took 6.8 ms with 10 sockets and 13.5 ms with 2000, because the kernel goes through its whole
 * table of connections for it (measured on two cores of a machine with 24 GB).
 *
 * Somebody may begin to listen right after the trial. No trial can prevent that.
 * @param addresses those that are tried, one after another; undefined for all at once
 */
export async function findUnusable(
  protocol: 'tcp' | 'udp',
  ports: readonly number[],
  addresses: readonly (string | undefined)[] = ADDRESSES,
): Promise<Set<number>> {
  const suspects = await tryAll(protocol, ports, addresses);
  if (suspects.length === 0) return new Set();
  await setTimeout(PAUSE_MS);
  return new Set(await tryAll(protocol, suspects, addresses));
}

/** @returns those on which no server could listen */
async function tryAll(
  protocol: 'tcp' | 'udp',
  ports: readonly number[],
  addresses: readonly (string | undefined)[],
): Promise<number[]> {
  const canListen = protocol === 'tcp' ? canListenTcp : canBindUdp;
  const unusable: number[] = [];
  for (const port of ports) {
    for (const address of addresses) {
      if (await canListen(port, address)) continue;
      unusable.push(port);
      break;
    }
  }
  return unusable;
}

/** @param address undefined for all addresses: `::` if this machine has IPv6, and else 0.0.0.0 */
function canListenTcp(port: number, address: string | undefined): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', ({ code = '' }: NodeJS.ErrnoException) => resolve(!UNUSABLE.includes(code)));
    // Closes only once it listens: if an address is given, Node begins to listen after this call, and a server that was
    // closed before that never does.
    server.listen({ port, ...(address !== undefined && { host: address }) }, () => server.close(() => resolve(true)));
  });
}

async function canBindUdp(port: number, address: string | undefined): Promise<boolean> {
  if (address !== undefined) return tryUdp(address.includes(':') ? 'udp6' : 'udp4', port, address);
  return (await tryUdp('udp6', port)) && (await tryUdp('udp4', port));
}

function tryUdp(type: SocketType, port: number, address?: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createSocket({ type });
    const end = (isUsable: boolean) => {
      socket.close();
      resolve(isUsable);
    };
    socket.once('error', ({ code = '' }: NodeJS.ErrnoException) => end(!UNUSABLE.includes(code)));
    socket.bind({ port, ...(address !== undefined && { address }) }, () => end(true));
  });
}
