const SECOND_MS = 1000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;

/** How often a delivery is tried, and until when. */
export interface Backoff {
  /** The waits after the first failures; the last one is repeated. */
  waitsMs: readonly number[];
  /** How long a delivery is tried, from when it was written. */
  giveUpMs: number;
}

/**
 * The waits begin as Standard Webhooks has them (5 s, 5 min, 30 min), and then stay at 30 minutes, where that goes up to
 * 24 hours. It is for deliveries that do not wait for one another: here the events of a project wait behind the one that
 * failed, for hours after its receiver came back, to keep their order.
 */
export const BACKOFF: Backoff = {
  waitsMs: [5 * SECOND_MS, 5 * MINUTE_MS, 30 * MINUTE_MS],
  giveUpMs: 72 * HOUR_MS,
};
/** The longest wait that a receiver gets by `Retry-After`. */
const MAX_RETRY_AFTER_MS = HOUR_MS;
/** So much of each wait is random, so that what failed together is not tried again together. */
const JITTER = 0.2;

/** @param failures how often the delivery has failed, this time included */
export function waitAfter(failures: number, retryAfterMs: number | null, { waitsMs }: Backoff): number {
  const planned = waitsMs[Math.min(failures, waitsMs.length) - 1] ?? 0;
  const asked = Math.min(retryAfterMs ?? 0, MAX_RETRY_AFTER_MS);
  return Math.max(planned * (1 - JITTER / 2 + JITTER * Math.random()), asked);
}

/** Reads `Retry-After` (RFC 9110, 10.2.3), seconds or a date. @returns null for anything else */
export function readRetryAfter(header: string | undefined): number | null {
  if (header === undefined) return null;
  if (/^\d{1,9}$/.test(header)) return Number(header) * SECOND_MS;
  const time = Date.parse(header);
  return Number.isNaN(time) ? null : Math.max(0, time - Date.now());
}
