import { readings } from '../../registry/store.js';

/**
 * Reads the ranges now, where what is shown next needs one that was just made. If they cannot be read, the feed tells
 * of it a moment later: what was done is done all the same.
 */
export async function readRanges(): Promise<void> {
  await readings.ranges().then(
    (take) => take(),
    () => {},
  );
}
