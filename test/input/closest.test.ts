import t from 'tap';
import { findClosest } from '../../src/input/closest.js';

const known = ['consilio', 'console', 'odin', 'odin-next', 'shop', 'web', 'api'];

t.test('similar words are found, the most similar first', async (t) => {
  for (const [word, expected] of [
    ['consillio', ['consilio']],
    ['Consilio', ['consilio']],
    ['odinn', ['odin', 'odin-next']],
    ['odin_next', ['odin-next', 'odin']],
    ['shopping', ['shop']],
    ['wbe', []], // two letters of three differ
    ['we', ['web']],
    ['database', []],
    ['', []],
    ['---', []],
  ] as const) {
    t.strictSame(findClosest(word, known, 3), expected, word);
  }
});

t.test('no more are answered than were asked for', async (t) => {
  t.strictSame(findClosest('odin', ['odin1', 'odin2', 'odin3', 'odin4'], 3), ['odin1', 'odin2', 'odin3']);
});
