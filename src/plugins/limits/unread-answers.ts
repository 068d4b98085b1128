import { getHeapStatistics } from 'node:v8';
import type { FastifyInstance } from 'fastify';
import type { Connection, Connections } from './connections.js';

export interface UnreadLimits {
  /** How long a client may take to read what was written to it, in ms. */
  readMs: number;
  /** Bytes that may be unread on all connections together. */
  bytes: number;
}

/** Of the heap limit. What is unread is partly outside of the heap, but containers limit both together. */
const MAX_UNREAD_SHARE = 1 / 8;
const MIN_UNREAD_BYTES = 16 * 1024 * 1024;
const MAX_READ_MS = 30_000;
const SWEEP_MS = 250;
/** Answers that are about to be sent are counted, and everything is looked at when they come to this share of `bytes`. */
const SENT_SHARE = 1 / 8;

/** The oldest bytes of a connection that the kernel has not taken. */
interface Unread {
  /** How many bytes of the connection the kernel will have taken once it has taken these. */
  until: number;
  /** In the time of `performance.now()`. */
  since: number;
}

/**
 * Bounds what is kept in memory for clients that do not read their answers. The kernel takes a few megabytes for each
 * connection, and what it does not take stays here, in `socket.writableLength`. Looking at sockets covers whatever is
 * sent: lists, files, metrics, event streams.
 *
 * - A client has to take all bytes that were unread at some moment within `readMs`. For example, 3 MB are unread at
 *   0 s: they have to be taken by 30 s, or the connection is cut. What was written meanwhile gets 30 s from then on.
 * - If all connections together have more than `bytes` unread, those are cut whose unread bytes are the oldest.
 *
 * Node's own timeouts of sockets do none of this: they are prolonged by each byte that comes or goes.
 */
export function registerUnreadAnswers(
  app: FastifyInstance,
  connections: Connections,
  { readMs, bytes: maxBytes }: UnreadLimits = { readMs: MAX_READ_MS, bytes: unreadBytesOf(getHeapStatistics()) },
): void {
  const oldest = new WeakMap<Connection, Unread>();
  let sentBytes = 0;

  const sweep = (comingBytes: number) => {
    sentBytes = 0;
    const now = performance.now();
    const unread: { connection: Connection; since: number }[] = [];
    let bytes = comingBytes;
    for (const connection of connections) {
      const since = noteUnread(oldest, connection, now);
      if (since === null) continue;
      if (now - since > readMs) {
        connections.cut(connection, 'unread-too-long');
        continue;
      }
      bytes += connection.socket.writableLength;
      unread.push({ connection, since });
    }
    if (bytes <= maxBytes) return;
    for (const { connection } of unread.sort((a, b) => a.since - b.since)) {
      if (bytes <= maxBytes) break;
      bytes -= connection.socket.writableLength;
      connections.cut(connection, 'unread-too-much');
    }
  };

  const timer = setInterval(() => sweep(0), Math.min(SWEEP_MS, readMs)).unref();
  app.addHook('onClose', async () => clearInterval(timer));
  app.addHook('onSend', (_request, _reply, payload, done) => {
    const { length } = (payload ?? '') as { length?: number }; // a stream has none, and waits for its reader by itself
    sentBytes += length ?? 0;
    if (sentBytes > SENT_SHARE * maxBytes) sweep(length ?? 0);
    done();
  });
}

function unreadBytesOf({ heap_size_limit: heapLimit }: { heap_size_limit: number }): number {
  return Math.max(MIN_UNREAD_BYTES, MAX_UNREAD_SHARE * heapLimit);
}

/**
 * Strings count by characters in `writableLength` and by bytes in `bytesWritten`. So a connection on which texts outside
 * of ASCII are unread may be taken for one that reads a little, and is cut later.
 * @returns since when the oldest unread bytes of a connection are known to be unread, or null if all were taken
 */
function noteUnread(oldest: WeakMap<Connection, Unread>, connection: Connection, now: number): number | null {
  const { socket } = connection;
  if (socket.writableLength === 0) {
    oldest.delete(connection);
    return null;
  }
  const taken = socket.bytesWritten - socket.writableLength;
  const known = oldest.get(connection);
  if (known && taken < known.until) return known.since;
  oldest.set(connection, { until: socket.bytesWritten, since: now });
  return now;
}
