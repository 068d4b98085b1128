import t from 'tap';
import { formatDuration, parseDuration } from '../../src/input/duration.js';

t.test('lengths of time are read with units, or in seconds', async (t) => {
  const read = { '30d': 2_592_000, '15m': 900, '2h': 7200, '90s': 90, '1w': 604_800, '1h30m': 5400, '90': 90, '0': 0 };
  t.same(Object.fromEntries(Object.keys(read).map((text) => [text, parseDuration(text)])), read);
  for (const text of ['', 'd', '30 d', '-1d', '1.5h', '1y', '30D', '1h30', 'h1', '1'.repeat(13)]) {
    t.equal(parseDuration(text), null, JSON.stringify(text));
  }
});

t.test('lengths of time are told in the largest unit', async (t) => {
  t.same([0, 1, 59, 60, 3599, 3600, 172_799, 172_800].map(formatDuration), [
    '0 seconds',
    '1 second',
    '59 seconds',
    '1 minute',
    '59 minutes',
    '1 hour',
    '1 day',
    '2 days',
  ]);
});
