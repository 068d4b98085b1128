import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { ClientFailure } from '../../client/failure.js';

/** Some programs that open a URL run as long as the browser does. One that finds no browser ends before that. */
const FAILURE_TIMEOUT_MS = 1000;

/** Opens a URL in the browser of this desktop. */
export async function openBrowser(url: string): Promise<void> {
  const { default: open } = await import('open');
  const waiting = new AbortController();
  const failed = await open(url)
    .then((child) => Promise.race([once(child, 'exit'), sleep(FAILURE_TIMEOUT_MS, [0], { signal: waiting.signal })]))
    .then(([code]) => (code === 0 ? null : `it ended with ${code}`))
    .catch((error: Error) => error.message);
  waiting.abort();
  if (failed === null) return;
  throw new ClientFailure('refused', `The browser could not be opened: ${failed}.`, `Open ${url} yourself.`);
}
