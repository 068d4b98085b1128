import { isIP } from 'node:net';
import { makeVisible } from '../../input/visible.js';
import { canonicalHost } from '../../schemas/host.js';

/** A TCP socket that listens, as one line of a text tells of it. */
export interface ListedSocket {
  host: string;
  port: number;
  /** Address and port as the text has them, `[::]:3100`. It tells the sockets of IPv4 and IPv6 apart. */
  local: string;
  /** Null if the text does not name the process: it is another user's, or the list was made without processes. */
  processName: string | null;
  /** The processes that have the socket. */
  pids: string[];
}

/** What one line of a text says. The reasons are the ends of a sentence that begins with "Line 7 ". */
export type Reading =
  | { kind: 'listening'; socket: ListedSocket }
  | { kind: 'passed-over'; reason: string }
  | { kind: 'unreadable'; reason: string };

export const passedOver = (reason: string): Reading => ({ kind: 'passed-over', reason });
export const unreadable = (reason: string): Reading => ({ kind: 'unreadable', reason });

export const WITHOUT_NEWLINES =
  'holds several lines: their newlines are missing (curl takes them away with -d, and keeps them with --data-binary)';

/** `*:80`, `127.0.0.53%lo:53`, `[::1]:80`, `[fe80::1]%eth0:80`, and `:::80` as older ss writes it. */
export function readSocket(local: string, processName: string | null, pids: string[]): Reading {
  const colon = local.lastIndexOf(':');
  const port = /^[1-9]\d{0,4}$/.test(local.slice(colon + 1)) ? Number(local.slice(colon + 1)) : 0;
  if (port === 0 || port > 65535) return unreadable('has no port number (ss needs -n, lsof -P)');
  const address = local.slice(0, Math.max(colon, 0)).replace(/[[\]]|%[^\]]*/g, '');
  const host = address === '*' || address === 'localhost' || isIP(address) !== 0 ? canonicalHost(address) : null;
  if (host === null) return unreadable('has no address (ss and lsof need -n)');
  const name = processName && makeVisible(processName);
  return { kind: 'listening', socket: { host, port, local: makeVisible(local), processName: name, pids } };
}
