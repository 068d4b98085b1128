import fc from 'fast-check';
import t from 'tap';
import { makeApiKey } from '../../src/access/api-key.js';
import { redactKeys } from '../../src/access/redact.js';
import { toSlug } from '../../src/input/slug.js';
import { holds } from '../helpers/properties.js';

const STORED = makeApiKey('3c0f6d5e-8a51-4d0e-9f0b-7a2f0f2c9d11');
const ADMIN = 'Kx7/Qm+2vT9zLpW4sB1nYcR8dF5hJ0gA~eUiOq.6';
const redact = redactKeys(ADMIN, null);
const encode = (text: string) => [...text].map((c) => `%${c.charCodeAt(0).toString(16)}`).join('');

t.test('keys are replaced, and what stands around them stays', async (t) => {
  t.equal(redact(`/v1/${STORED}/x`), '/v1/pa_…/x');
  t.equal(redact(`is "${STORED.slice(0, 40)}"…`), 'is "pa_…"…', 'one whose end was cut off');
  t.equal(redact(`a ${ADMIN}, ${ADMIN} b ${STORED}`), 'a …, … b pa_…');
  t.equal(redact(`is "${ADMIN.slice(0, 32)}"…`), 'is "…"…');
  t.equal(redact(STORED.toUpperCase()), 'pa_…');
  t.equal(redact(ADMIN.toLowerCase()), '…');
});

t.test('keys are found in percent-encoding, however often it was applied', async (t) => {
  for (const [key, instead] of [
    [STORED, 'pa_…'],
    [ADMIN, '…'],
  ] as const) {
    const once = encode(key);
    for (const text of [
      once,
      once.replaceAll('%', '%25'),
      encode(once),
      encodeURIComponent(key),
      `%${encode(key[0] as string).slice(1)}${key.slice(1)}`,
    ]) {
      t.equal(redact(`/v1/${text}/%20z?q=%zz%`), `/v1/${instead}/%20z?q=%zz%`, text.slice(0, 60));
    }
  }
});

t.test('keys are found as the slug rule changes them', async (t) => {
  for (const key of [STORED, ADMIN, `/${ADMIN}`, `-${ADMIN}-`]) {
    const slug = toSlug(key);
    t.not(redact(slug), slug, slug);
    t.notMatch(redact(slug), key.toLowerCase().slice(4, 12));
  }
});

t.test('other texts stay as they are', async (t) => {
  await holds(
    t,
    fc.property(fc.string({ unit: 'binary' }), (text) => redact(text) === text),
  );
  for (const text of ['pa_', 'pa_3c0f', ADMIN.slice(0, 15), '100%', '%70%61%5f', 'urn:port-allocator:problem:x']) {
    t.equal(redact(text), text);
  }
  t.equal(redactKeys(null)(ADMIN), ADMIN);
  t.equal(redactKeys('short')('a short text'), 'a short text');
});

t.test('a key is found anywhere, in any mix of spellings', async (t) => {
  const spelled = (key: string) =>
    fc
      .array(fc.integer({ min: 0, max: 3 }), { minLength: key.length, maxLength: key.length })
      .map((times) =>
        [...key].map((c, i) => Array.from({ length: times[i] as number }).reduce<string>(encode, c)).join(''),
      );
  const around = fc.string({ unit: fc.constantFrom(...'ab/%25 ?é{') });
  await holds(
    t,
    fc.property(around, fc.oneof(spelled(STORED), spelled(ADMIN)), around, (before, key, after) => {
      const redacted = redact(`${before}/${key}/${after}`);
      return redacted.includes('…') && !redacted.includes(key);
    }),
  );
});

t.test('a long text is read quickly', async (t) => {
  for (const text of [
    '%'.repeat(2 ** 20),
    '%25'.repeat(2 ** 18),
    'pa_'.repeat(2 ** 18),
    ADMIN.slice(0, 16).repeat(2 ** 16),
  ]) {
    const start = process.cpuUsage(); // not the time, of which other processes take their share
    redact(text);
    t.ok(process.cpuUsage(start).user < 1_000_000, text.slice(0, 10));
  }
});
