import { signal } from '@preact/signals';

const moment = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short' });
const day = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium' });
const clock = new Intl.DateTimeFormat(undefined, { timeStyle: 'short' });
/** Words stand in sentences of this page, so that they are English in every browser. */
const relative = {
  long: new Intl.RelativeTimeFormat('en', { numeric: 'auto' }),
  short: new Intl.RelativeTimeFormat('en', { numeric: 'auto', style: 'short' }),
};
const whole = new Intl.NumberFormat();

const UNITS: [unit: Intl.RelativeTimeFormatUnit, seconds: number][] = [
  ['day', 86_400],
  ['hour', 3600],
  ['minute', 60],
];
const TICK_MS = 15_000;

/** The time, as ages on the page go by it. */
const now = signal(Date.now());
setInterval(() => {
  now.value = Date.now();
}, TICK_MS);

export const formatMoment = (iso: string): string => moment.format(new Date(iso));
/** From a moment to another, of which what they share is said once. */
export const formatSpan = (from: string, to: string): string => moment.formatRange(new Date(from), new Date(to));
export const formatDay = (date: Date): string => day.format(date);
export const formatClock = (date: Date): string => clock.format(date);
export const formatCount = (count: number): string => whole.format(count);

/** `3 hours ago`, `in 5 minutes`; short, `3 hr. ago`. What shows it is rendered again as time goes by. */
export function formatAge(iso: string, style: keyof typeof relative = 'long'): string {
  const seconds = (Date.parse(iso) - Math.max(now.value, Date.now())) / 1000;
  const [unit, size] = UNITS.find(([, size]) => Math.abs(seconds) >= size) ?? ['second', 1];
  return relative[style].format(Math.round(seconds / size), unit);
}

/** `1 port`, `2 ports`. */
export const plural = (count: number, one: string, many = `${one}s`): string =>
  `${formatCount(count)} ${count === 1 ? one : many}`;
