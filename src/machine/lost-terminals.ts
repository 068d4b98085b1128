import { closeSync } from 'node:fs';
import { isatty } from 'node:tty';

const STDIO = [0, 1, 2];
const terminals = STDIO.filter((fd) => isatty(fd));

/**
 * Call this when the process exits. Node then restores the settings of the terminals that it was started on. If a
 * terminal is gone, Node takes that error for a bug of its own and aborts with a core dump (seen in 20.20). It leaves
 * closed descriptors alone.
 */
export function closeLostTerminals(): void {
  for (const fd of terminals) {
    if (!isatty(fd)) closeSync(fd);
  }
}
