/** The forms of RFC 3339 that validation lets pass, with the shorter offsets of ISO 8601 (`+01`, `+0100`). */
const TIME = /^(\d{4}-\d\d-\d\d)[Tt\s](\d\d:\d\d):(\d\d)(?:\.(\d+))?(?:[Zz]|([+-])(\d\d)(?::?(\d\d))?)$/;
const SECOND_MS = 1000;
const MINUTE_MS = 60_000;
const FIRST = '0001-01-01T00:00:00.000Z';
const LAST = '9999-12-31T23:59:59.999Z';

/**
 * The one form in which times are stored and answered: UTC, to the millisecond, `2026-01-31T12:00:00.000Z`. Further
 * digits of a second are cut off. A leap second (`23:59:60`) becomes the second after it, as in PostgreSQL.
 * @returns null for a text that is no time, and for one outside of the years 1 to 9999, of which no four digits tell.
 * An offset counts: `9999-12-31T23:59:59-01:00` is of the year 10000.
 */
export function canonicalTime(text: string): string | null {
  const [, date, minute, second = '', fraction = '', sign, hours = '0', minutes = '0'] = TIME.exec(text) ?? [];
  if (date === undefined) return null;
  const isLeap = second === '60';
  const local = `${date}T${minute}:${isLeap ? '59' : second}.${fraction.slice(0, 3).padEnd(3, '0')}Z`;
  const localMs = Date.parse(local);
  // `Date.parse` reads the 30th of February as the 2nd of March, and 24:00 as the next day.
  if (Number.isNaN(localMs) || new Date(localMs).toISOString() !== local) return null;
  const offsetMs = (sign === '-' ? -1 : 1) * (Number(hours) * 60 + Number(minutes)) * MINUTE_MS;
  const ms = localMs - offsetMs + (isLeap ? SECOND_MS : 0);
  return ms < Date.parse(FIRST) || ms > Date.parse(LAST) ? null : new Date(ms).toISOString();
}
