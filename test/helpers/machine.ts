import { randomInt } from 'node:crypto';
import { findUnusable } from '../../src/machine/try-to-listen.js';

/** Finds a hundred ports of this machine, from a multiple of 100 on, on which nobody listens, over TCP or UDP. */
export async function findFreeBlock(): Promise<number> {
  for (;;) {
    const start = randomInt(110, 320) * 100; // below the ports that Linux gives to outgoing connections
    const ports = Array.from({ length: 100 }, (_, i) => start + i);
    const used = [await findUnusable('tcp', ports), await findUnusable('udp', ports)];
    if (used.every(({ size }) => size === 0)) return start;
  }
}
