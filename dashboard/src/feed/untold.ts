import { effect, signal } from '@preact/signals';
import { readSoon } from '../registry/readings.js';
import { cooling, ranges, reservations } from '../registry/store.js';
import { connection } from './feed.js';

/**
 * Who listens changes without an event. To list it costs the service little: it asks the machine for the listeners at
 * most every two seconds, and for their processes every minute.
 */
const READ_LISTENING_EVERY_MS = 20_000;
/** After the end of a cooldown or reservation that the service does not see yet, because its clock is another one. */
const TRY_AGAIN_AFTER_MS = 10_000;
/** No timer can be set for longer than 25 days. After a day it is looked again for what ends next. */
const LONGEST_TIMER_MS = 86_400_000;

const looks = signal(0);

/** Keeps true what changes without an event: who listens on the machine of the service, and what ends at its time. */
export function followUntold(): void {
  setInterval(readListening, READ_LISTENING_EVERY_MS);
  document.addEventListener('visibilitychange', readListening);
  effect(() => {
    void looks.value;
    const now = Date.now();
    const cooldowns = endsOfCooldowns();
    const reserved = Array.from(reservations.value.values(), ({ expiresAt }) => Date.parse(expiresAt));
    if (cooldowns.some((end) => end <= now)) readCooling(TRY_AGAIN_AFTER_MS);
    if (reserved.some((end) => end <= now)) readReserved(TRY_AGAIN_AFTER_MS);
    const coming = [...cooldowns, ...reserved].filter((end) => end > now);
    const next = coming.reduce((first, end) => Math.min(first, end), now + LONGEST_TIMER_MS);
    const timer = setTimeout(readWhatIsOver, next - now);
    return () => clearTimeout(timer);
  });
}

function readListening(): void {
  if (!document.hidden && connection.value.state === 'live') readSoon('listening', 0);
}

function readReserved(afterMs?: number): void {
  readSoon('reservations', afterMs);
  readSoon('ranges', afterMs);
}

function readCooling(afterMs?: number): void {
  readSoon('cooling', afterMs);
  readSoon('ranges', afterMs);
}

/** When each cooldown ends. A port that is in no range any more is not listed as cooling when that is read again. */
function endsOfCooldowns(): number[] {
  return cooling.value.flatMap(({ port, releasedAt }) => {
    const range = ranges.value.find(({ startPort, endPort }) => startPort <= port && port <= endPort);
    if (range === undefined || releasedAt === null) return [];
    return Date.parse(releasedAt) + range.reuseCooldownSeconds * 1000;
  });
}

/** The service decides what is over: the clock of this machine may be another one. */
function readWhatIsOver(): void {
  looks.value++;
  readCooling();
  readReserved();
}
