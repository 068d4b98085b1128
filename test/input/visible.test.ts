import fc from 'fast-check';
import t from 'tap';
import { escapeInJson, makeTextVisible, makeVisible } from '../../src/input/visible.js';
import { holds } from '../helpers/properties.js';

/** Of every kind one: what deceives in a name, and what each becomes. */
const UNSEEN: [text: string, written: string][] = [
  ['web\u202egnp', 'web\\u{202e}gnp'],
  ['\u202a\u202b\u202c\u202d', '\\u{202a}\\u{202b}\\u{202c}\\u{202d}'],
  ['\u2066\u2067\u2068\u2069', '\\u{2066}\\u{2067}\\u{2068}\\u{2069}'],
  ['\u200e\u200f\u061c', '\\u{200e}\\u{200f}\\u{61c}'],
  ['a\u200bb\u200cc\u200dd', 'a\\u{200b}b\\u{200c}c\\u{200d}d'],
  ['\u2060\ufeff\u00ad\u180e\u3164', '\\u{2060}\\u{feff}\\u{ad}\\u{180e}\\u{3164}'],
  ['x\u{e0041}\u{e007f}', 'x\\u{e0041}\\u{e007f}'],
  ['x\ufe0f\u{e0100}', 'x\\u{fe0f}\\u{e0100}'],
  ['\u001b[31m\u009b', '\\u{1b}[31m\\u{9b}'],
  ['a\u2028b\u2029c\u0085', 'a\\u{2028}b\\u{2029}c\\u{85}'],
  ['\ud800', '\\u{d800}'],
];

t.test('what is not seen is written out', async (t) => {
  for (const [text, written] of UNSEEN) {
    t.equal(makeVisible(text), written);
    t.equal(makeTextVisible(text), written, 'in texts that people write too');
  }
  t.equal(makeVisible('a\nb\tc\0'), 'a\\u{a}b\\u{9}c\\u{0}');
});

t.test('what is seen stays as it is', async (t) => {
  for (const text of ['next-server (v1', 'Żółć 日本語 שלום', 'web "x", y', '👍🏽 ok', 'a b\u00a0c']) {
    t.equal(makeVisible(text), text);
    t.equal(makeTextVisible(text), text);
  }
});

t.test('texts that people write keep what their writing needs', async (t) => {
  const texts = ['two\nlines\r\n\tand a tab', '👩‍👩‍👧 ❤️ 1️⃣ 🏴󠁧󠁢󠁥󠁮󠁧󠁿', 'می‌خواهم', 'क्‍ष', '葛\u{e0100}城'];
  for (const text of texts) t.equal(makeTextVisible(text), text);
  t.equal(makeTextVisible('👍\u200d'), '👍\\u{200d}', 'a joiner that joins nothing is none of it');
  t.equal(makeTextVisible('葛\u{e0100}\u{e0101}'), '葛\u{e0100}\\u{e0101}');
  t.equal(makeTextVisible('می\u200c\u200cخواهم'), 'می\\u{200c}\\u{200c}خواهم');
});

t.test('JSON stays the same value, in characters that are all seen', async (t) => {
  const unit = fc.oneof(
    fc.constantFrom(...UNSEEN.flatMap(([text]) => [...text])),
    fc.string({ unit: 'binary', maxLength: 3 }),
  );
  const text = fc.array(unit, { maxLength: 10 }).map((parts) => parts.join(''));
  await holds(
    t,
    fc.property(fc.dictionary(text, text), (value) => {
      const json = escapeInJson(JSON.stringify(value));
      return makeVisible(json) === json && JSON.stringify(JSON.parse(json)) === JSON.stringify(value);
    }),
  );
});
