import { batch } from '@preact/signals';
import { NoAnswer, Refusal } from './api.js';
import { cooling, type Reading, ranges, readings, wholeLists } from './store.js';

/** So long a reading waits for further changes: a burst, such as the release of an environment, is one reading. */
const GATHER_MS = 100;
/** A list is not read more often than this, however many events come. */
const MIN_PAUSE_MS = 1000;
/**
 * Reading a list takes no more than a tenth of the time. To count the ranges of 60 projects takes the embedded database
 * 0.3 s, and it has one connection for all.
 */
const PAUSE_FACTOR = 10;
const TRY_AGAIN_AFTER_MS = 10_000;

/** Whether a port that is released cools down anywhere. In most registries none does, and listing them is not cheap. */
export const canCool = () => cooling.value.length > 0 || ranges.value.some((range) => range.reuseCooldownSeconds > 0);

/** Reads what no event has told while the connection was lost, such as cooldowns that have ended. */
export async function readUntold(): Promise<void> {
  readSoon('lastUsed', 0); // the longest of the lists, for which nothing has to wait
  const taking = await Promise.all(Object.values(wholeLists).map((read) => read()));
  batch(() => {
    for (const take of taking) take();
  });
}

const waiting = new Map<Reading, { timer: ReturnType<typeof setTimeout>; dueAt: number }>();
const underWay = new Map<Reading, Promise<void>>();
/** When each was begun last, and how long it took; while it is under way, how long the one before took. */
const lastTimes = new Map<Reading, { startedAt: number; tookMs: number }>();

/**
 * Reads one list again, once for all that ask meanwhile. What has changed does not wait for a reading that is to be
 * tried again later because it has failed.
 */
export function readSoon(reading: Reading, afterMs?: number): void {
  const now = performance.now();
  const dueAt = afterMs === undefined ? nextTimeOf(reading, now) : now + afterMs;
  const other = waiting.get(reading);
  if (other !== undefined && other.dueAt <= dueAt) return;
  clearTimeout(other?.timer);
  const timer = setTimeout(async () => {
    // One after another, so that no answer comes after a newer one and replaces it.
    await underWay.get(reading);
    waiting.delete(reading);
    const begun = readNow(reading);
    underWay.set(reading, begun);
    await begun;
  }, dueAt - now);
  waiting.set(reading, { timer, dueAt });
}

function nextTimeOf(reading: Reading, now: number): number {
  const last = lastTimes.get(reading);
  const earliest = last === undefined ? now : last.startedAt + Math.max(MIN_PAUSE_MS, PAUSE_FACTOR * last.tookMs);
  return Math.max(now + GATHER_MS, earliest);
}

/**
 * A reading that gets no answer is tried again, and so is one for which the service has too much to do just then. What
 * it refuses for another reason it would refuse again.
 */
async function readNow(reading: Reading): Promise<void> {
  const startedAt = performance.now();
  lastTimes.set(reading, { startedAt, tookMs: lastTimes.get(reading)?.tookMs ?? 0 });
  try {
    const take = await readings[reading]();
    lastTimes.set(reading, { startedAt, tookMs: performance.now() - startedAt });
    const couldCool = canCool();
    take();
    if (reading === 'ranges' && canCool() && !couldCool) readSoon('cooling');
  } catch (error) {
    if (error instanceof NoAnswer || (error instanceof Refusal && (error.status >= 500 || error.status === 429))) {
      readSoon(reading, TRY_AGAIN_AFTER_MS);
    } else if (!(error instanceof Refusal)) reportError(error);
  }
}
