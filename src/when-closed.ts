import type { ServerResponse } from 'node:http';

/**
 * Calls `callback` once the answer was sent or the client has disconnected: at once if that has happened already, as when
 * the client left while its key was looked up.
 */
export function whenClosed(raw: ServerResponse, callback: () => void): void {
  if (raw.destroyed) callback();
  else raw.once('close', callback);
}
