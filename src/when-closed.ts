import type { ServerResponse } from 'node:http';

/**
 * Calls `callback` once the answer was sent or the client has disconnected: at once if that has happened already, as when
 * the client left while its key was looked up. For an answer that has still to wait for another one of its connection
 * Node emits no `close` when the connection is lost: plugins/limits/pipelining.ts does.
 */
export function whenClosed(raw: ServerResponse, callback: () => void): void {
  if (raw.destroyed) callback();
  else raw.once('close', callback);
}
