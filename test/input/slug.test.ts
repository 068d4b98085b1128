import fc from 'fast-check';
import t from 'tap';
import { NAME_PATTERN, toSlug } from '../../src/input/slug.js';
import { holds } from '../helpers/properties.js';

const NAME = new RegExp(NAME_PATTERN);
const anyText = fc.oneof(
  fc.string({ maxLength: 200 }),
  fc.string({ unit: 'grapheme', maxLength: 200 }),
  fc.string({ unit: 'binary', maxLength: 100 }),
  fc.string({ unit: fc.constantFrom('a', 'Z', '0', '-', '.', '_', '/', ' '), maxLength: 100 }),
);
const nameText = fc.stringMatching(NAME);

t.test('a slug of any text is a name', async (t) => {
  await holds(
    t,
    fc.property(anyText, (text) => NAME.test(toSlug(text))),
  );
});

t.test('a name stays as it is, so that a slug of a slug is the same', async (t) => {
  await holds(
    t,
    fc.property(nameText, (name) => toSlug(name) === name),
  );
  await holds(
    t,
    fc.property(anyText, (text) => toSlug(toSlug(text)) === toSlug(text)),
  );
});

t.test('a name in capitals only changes its case', async (t) => {
  await holds(
    t,
    fc.property(nameText, (name) => toSlug(name.toUpperCase()) === name),
  );
});

t.test('any other change adds a hyphen and four characters of a hash', async (t) => {
  for (const [text, expected] of [
    ['feature/cart', /^feature-cart-[a-z0-9]{4}$/],
    ['Feature/Cart', /^feature-cart-[a-z0-9]{4}$/],
    ['feature//cart', /^feature-cart-[a-z0-9]{4}$/],
    ['feature - cart', /^feature-cart-[a-z0-9]{4}$/],
    ['-cart-', /^cart-[a-z0-9]{4}$/],
    ['..', /^[a-z0-9]{4}$/],
    ['', /^[a-z0-9]{4}$/],
    ['日本語', /^[a-z0-9]{4}$/],
    ['café', /^caf-[a-z0-9]{4}$/],
    ['\u212a', /^[a-z0-9]{4}$/], // the Kelvin sign, of which toLowerCase makes a k
    ['a'.repeat(64), /^a{58}-[a-z0-9]{4}$/],
    [`${'a'.repeat(57)}/bcdefghij`, /^a{57}-[a-z0-9]{4}$/],
  ] as const) {
    t.match(toSlug(text), expected, text);
  }
});

t.test('the hash of a text is the same on every machine', async (t) => {
  t.equal(toSlug('feature/cart'), 'feature-cart-km89');
});

t.test('texts that look alike get different names', async (t) => {
  const texts = [
    'feature/cart',
    'Feature/Cart',
    'feature_/cart',
    'feature cart',
    'feature\\cart',
    'feature-cart-',
    '/',
  ];
  t.equal(new Set(texts.map(toSlug)).size, texts.length);
});
