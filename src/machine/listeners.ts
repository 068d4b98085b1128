import type { Listener } from './listener.js';
import { readLsof, readSs } from './listening-programs.js';
import {
  type ListeningSocket,
  readFamilies,
  readListeningSockets,
  readUdpSockets,
  toAddress,
} from './listening-sockets.js';
import { findSocketOwners, nameProcess, readWorkingFolder } from './processes.js';

/**
 * Where the TCP sockets can be read. A source that this machine lacks, or that takes too long, answers null.
 * @param ports the only ones that are asked for; left out, all. A source may answer others too.
 */
export type Source = (ports?: ReadonlySet<number>) => Promise<Listener[] | null>;

/** How long the processes of the sockets are looked for. */
const LIMIT_MS = 5000;

/**
 * The kernel's own list comes first: it needs no program, and it knows a program by its file, while the name that ss
 * prints is one that the process gave itself (`MainThread`, for Node 24).
 */
export const sources: Record<'proc' | 'ss' | 'lsof', Source> = { proc: readProc, ss: readSs, lsof: readLsof };

/**
 * Lists what listens on this machine over TCP, by port.
 * @returns null if neither /proc nor ss nor lsof tells
 */
export async function readListeners(
  from: readonly Source[] = Object.values(sources),
  ports?: ReadonlySet<number>,
): Promise<Listener[] | null> {
  for (const read of from) {
    const found = await read(ports);
    if (found === null) continue;
    const wanted = ports === undefined ? found : found.filter(({ port }) => ports.has(port));
    // One process that listens on 0.0.0.0 and on :: is listed twice, and by lsof so is one that it has under two numbers.
    const byPlace = new Map(wanted.map((one) => [`${one.port} ${one.address} ${one.pid}`, one]));
    return [...byPlace.values()].sort((a, b) => a.port - b.port || a.address.localeCompare(b.address));
  }
  return null;
}

/** The same over UDP, where only /proc is read. */
export async function readUdpListeners(ports: ReadonlySet<number>): Promise<Listener[] | null> {
  const sockets = await readFamilies(readUdpSockets('udp'), readUdpSockets('udp6'));
  return sockets && identify(sockets.filter(({ port }) => ports.has(port)));
}

/** Writes listeners as `ss -ltnp` does, which is what an import reads. */
export function toSsOutput(listeners: readonly Listener[]): string {
  const lines = listeners.map(({ port, address, process, pid }) => {
    const local = `${address.includes(':') ? `[${address}]` : address}:${port}`;
    return `LISTEN 0 0 ${local} *:* ${process === null ? '' : `users:(("${process}",pid=${pid ?? 0},fd=0))`}`;
  });
  return `${lines.join('\n')}\n`;
}

/** Only the sockets that are asked for are searched for in the processes. */
async function readProc(ports?: ReadonlySet<number>): Promise<Listener[] | null> {
  const sockets = await readFamilies(readListeningSockets('tcp'), readListeningSockets('tcp6'));
  if (sockets === null || sockets.length === 0) return null; // not Linux; or WSL 1, which keeps this list empty
  return identify(ports === undefined ? sockets : sockets.filter(({ port }) => ports.has(port)));
}

async function identify(sockets: readonly ListeningSocket[]): Promise<Listener[]> {
  const startedAt = performance.now();
  const owners = await findSocketOwners(
    sockets.map(({ inode }) => inode),
    () => performance.now() - startedAt < LIMIT_MS,
  );
  return Promise.all(
    sockets.map(async ({ hexAddress, port, inode }) => {
      const pid = owners.get(inode) ?? null;
      const process = pid === null ? null : await nameProcess(pid);
      const path = pid === null ? null : await readWorkingFolder(pid);
      return { port, address: toAddress(hexAddress), process, pid, path };
    }),
  );
}
