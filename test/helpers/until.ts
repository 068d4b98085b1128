import { setTimeout as sleep } from 'node:timers/promises';

/** How long a test waits for what must happen. */
const PATIENCE_MS = 30_000;

/** Waits until something is so. */
export async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  for (const deadline = Date.now() + PATIENCE_MS; !(await isSo()); await sleep(20)) {
    if (Date.now() > deadline) throw new Error(`not within ${PATIENCE_MS} ms: ${isSo}`);
  }
}
