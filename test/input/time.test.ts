import fc from 'fast-check';
import { sql } from 'kysely';
import t from 'tap';
import { canonicalTime } from '../../src/input/time.js';
import { openPostgres } from '../helpers/database.js';
import { holds } from '../helpers/properties.js';

t.test('every spelling of a time becomes the one that is answered', async (t) => {
  const time = '2026-01-31T12:00:00.000Z';
  for (const text of [
    '2026-01-31T12:00:00Z',
    '2026-01-31t12:00:00.0z',
    '2026-01-31 12:00:00.0009Z',
    '2026-01-31T13:30:00+01:30',
    '2026-01-31T12:00:00-00:00',
    '2026-01-30T12:01:00.000-23:59',
    '2026-01-31T13:00:00+01',
    '2026-01-31T13:00:00+0100',
  ]) {
    t.equal(canonicalTime(text), time, text);
  }
});

t.test('times are bounded by what four digits of a year can tell, in UTC', async (t) => {
  t.equal(canonicalTime('0001-01-01T00:00:00Z'), '0001-01-01T00:00:00.000Z');
  t.equal(canonicalTime('9999-12-31T23:59:59.9999999Z'), '9999-12-31T23:59:59.999Z');
  t.equal(canonicalTime('0000-12-31T23:59:59.999-00:01'), '0001-01-01T00:00:59.999Z');
  for (const text of [
    '0000-01-01T00:00:00Z',
    '0001-01-01T00:00:00+00:01',
    '9999-12-31T23:59:59-23:59',
    '9999-12-31T23:59:60Z',
    '+010000-01-01T00:00:00Z',
    '-000001-01-01T00:00:00Z',
  ]) {
    t.equal(canonicalTime(text), null, text);
  }
});

t.test('a leap second is the second after it', async (t) => {
  t.equal(canonicalTime('2016-12-31T23:59:60Z'), '2017-01-01T00:00:00.000Z');
  t.equal(canonicalTime('2017-01-01T05:29:60.5+05:30'), '2017-01-01T00:00:00.500Z');
});

t.test('what is no time of the calendar is none', async (t) => {
  for (const text of [
    '',
    'soon',
    '2026-02-30T00:00:00Z',
    '2026-13-01T00:00:00Z',
    '2026-01-31T24:00:00Z',
    '2026-01-31T12:00:61Z',
    '2026-01-31T12:00:00',
    '2026-01-31',
    '2026-01-31T12:00Z',
    '2026-01-31T12:00:00.Z',
    ' 2026-01-31T12:00:00Z',
    '2026-01-31T12:00:00Z\n',
    '２０２６-01-31T12:00:00Z',
  ]) {
    t.equal(canonicalTime(text), null, JSON.stringify(text));
  }
});

t.test('PostgreSQL reads the same time, and stores the canonical form as it is', async (t) => {
  const { db } = await openPostgres(t);
  const two = (least: number, most: number) =>
    fc.integer({ min: least, max: most }).map((n) => `${n}`.padStart(2, '0'));
  const year = fc.oneof(fc.constantFrom(0, 1, 2, 1999, 2024, 9998, 9999), fc.integer({ min: 0, max: 9999 }));
  // PostgreSQL knows no offset of 16 hours or more.
  const offset = fc.oneof(fc.constant('Z'), fc.tuple(fc.constantFrom('+', '-'), two(0, 15), two(0, 59)));
  const time = fc
    .record({
      date: fc.tuple(year, two(1, 12), two(1, 31)),
      clock: fc.tuple(two(0, 23), two(0, 59), two(0, 60)),
      fraction: fc.oneof(fc.constant(''), fc.stringMatching(/^\.[0-9]{1,3}$/)),
      offset,
    })
    .map(({ date: [y, ...rest], clock, fraction, offset }) => {
      const zone = typeof offset === 'string' ? offset : `${offset[0]}${offset[1]}:${offset[2]}`;
      return `${[`${y}`.padStart(4, '0'), ...rest].join('-')}T${clock.join(':')}${fraction}${zone}`;
    });
  const read = (text: string) =>
    sql<{ time: string }>`
      select to_char(${text}::timestamptz(3) at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as time`
      .execute(db)
      .then(({ rows }) => rows[0]?.time ?? null);
  let compared = 0;
  await holds(
    t,
    fc.asyncProperty(time, async (text) => {
      const canonical = canonicalTime(text);
      if (canonical === null) return true; // PostgreSQL has years before 1 and after 9999
      compared += 1;
      const isReadable = !text.startsWith('0000'); // PostgreSQL has no year 0, also where an offset leads to the year 1
      return (!isReadable || (await read(text)) === canonical) && (await read(canonical)) === canonical;
    }),
    { numRuns: 500 },
  );
  t.ok(compared > 300, `${compared} were compared`);
});
