import { makeVisible } from '../input/visible.js';

/** A socket that listens on this machine, and its process as far as this user may see it. */
export interface Listener {
  readonly port: number;
  /** An address, or `*` for all. */
  readonly address: string;
  /** The file name of the program. */
  readonly process: string | null;
  readonly pid: number | null;
  /** The working folder of the process, as it is: with characters that are not seen. */
  readonly path: string | null;
}

/**
 * Of those that listen on one port, the one that stands most in the way of a server that is about to listen on it: one
 * on all addresses, then one on loopback, then one on another address of this machine. Among those the one with the
 * lowest pid, which usually is the parent of the others.
 */
export function chooseListener<L extends Pick<Listener, 'address' | 'pid'>>(listeners: readonly L[]): L | null {
  const [first] = [...listeners].sort(
    (a, b) => rankOf(a.address) - rankOf(b.address) || (a.pid ?? Infinity) - (b.pid ?? Infinity),
  );
  return first ?? null;
}

const rankOf = (address: string): number => (address === '*' ? 0 : /^(127\.|::1$)/.test(address) ? 1 : 2);

/** `node (pid 812) in /home/kim/shop`. Null if the process cannot be seen. */
export function tellListener({ process, pid, path }: Pick<Listener, 'process' | 'pid' | 'path'>): string | null {
  if (process === null) return null;
  return `${process}${pid === null ? '' : ` (pid ${pid})`}${path === null ? '' : ` in ${makeVisible(path)}`}`;
}

/** What callers are told of a listener, with all characters of the folder visible. */
export function describeListener({ process, pid, path, address }: Listener): Omit<Listener, 'port'> {
  return { process, pid, path: path && makeVisible(path), address };
}
