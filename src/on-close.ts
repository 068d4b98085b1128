import type { ServerResponse } from 'node:http';

/**
 * Calls `onClose` once the answer was sent or the client has disconnected: at once if that has happened already, as when
 * the client left while its key was looked up.
 */
export function onClose(raw: ServerResponse, onClose: () => void): void {
  if (raw.destroyed) onClose();
  else raw.once('close', onClose);
}
