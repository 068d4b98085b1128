import { useEffect, useRef, useState } from 'preact/hooks';
import { eventsOf } from './changes.js';

/** So long it waits for further events: a burst, such as the release of an environment, is one reading. */
const GATHER_MS = 100;
const MIN_PAUSE_MS = 1000;

/**
 * Counts the events of these kinds, such as `environment`, for the dependencies of `useLoaded`. It changes at most once
 * a second, however many events come.
 */
export function useEventsOf(...kinds: string[]): number {
  const count = kinds.reduce((sum, kind) => sum + eventsOf(kind).value, 0);
  const [told, setTold] = useState(count);
  const newest = useRef(count);
  const toldAt = useRef(Number.NEGATIVE_INFINITY);
  const timer = useRef<ReturnType<typeof setTimeout> | null>(null);
  newest.current = count;
  useEffect(() => {
    if (count === told || timer.current !== null) return;
    const pauseMs = toldAt.current + MIN_PAUSE_MS - performance.now();
    timer.current = setTimeout(
      () => {
        timer.current = null;
        toldAt.current = performance.now();
        setTold(newest.current);
      },
      Math.max(GATHER_MS, pauseMs),
    );
  }, [count, told]);
  useEffect(() => () => clearTimeout(timer.current ?? undefined), []);
  return told;
}
