import fc from 'fast-check';
import t from 'tap';
import { putBlock } from '../../../src/client/env-file/block.js';
import { holds } from '../../helpers/properties.js';

const block = { project: 'shop', lines: ['WEB_PORT=3100', 'NAME=größe'], names: ['WEB_PORT', 'NAME'] };
const other = { project: 'other', lines: ['API_PORT=3200'], names: ['API_PORT'] };
const OPENING = '# >>> port-allocator: shop >>> written by "pa env --write", which replaces all up to the end mark';
const ENDING = '# <<< port-allocator: shop <<<';

const latin1 = (text: string) => Buffer.from(text, 'utf8').toString('latin1');
const utf8 = (bytes: string) => Buffer.from(bytes, 'latin1').toString('utf8');
const put = (text: string, given = block) => utf8(putBlock(latin1(text), given, '.env').text);
const written = (eol = '\n') => [OPENING, ...block.lines, ENDING].join(eol);

t.test('the block comes at the end, with the line endings of the file', async (t) => {
  for (const [text, expected] of [
    ['', `${written()}\n`],
    ['A=1\n', `A=1\n${written()}\n`],
    ['A=1', `A=1\n${written()}`],
    ['A=1\r\nB=2\r\n', `A=1\r\nB=2\r\n${written('\r\n')}\r\n`],
    ['A=1\r\nB=2', `A=1\r\nB=2\r\n${written('\r\n')}`],
    ['\ufeff', `\ufeff${written()}\n`],
    ['\n', `\n${written()}\n`],
  ] as const) {
    t.equal(put(text), expected, JSON.stringify(text));
  }
});

t.test('a block that is there is replaced where it is, whatever was done to it', async (t) => {
  for (const [text, expected] of [
    [`A=1\n${OPENING}\nWEB_PORT=1\n\nMINE=2\n${ENDING}\nB=2`, `A=1\n${written()}\nB=2`],
    [`\ufeff# >>> port-allocator: shop >>>\r\n${ENDING}\r\n\r\n`, `\ufeff${written('\r\n')}\r\n\r\n`],
    [`${OPENING}\n  ${ENDING} by hand`, written()],
  ] as const) {
    t.equal(put(text), expected, JSON.stringify(text));
  }
});

t.test('projects have a block each', async (t) => {
  const both = put(put('A=1\n'), other);
  t.match(both, /^A=1\n.*: shop >>>.*: other >>>.*\nAPI_PORT=3200\n.*: other <<<\n$/s);
  t.equal(put(both), both);
});

t.test('markers that do not fit together are refused with their line', async (t) => {
  const message = (what: RegExp) => ({ kind: 'usage', message: what });
  const refuse = (text: string, what: RegExp) => t.throws(() => put(text), message(what), text);
  refuse(
    `A=1\n${OPENING}\nB=2\n`,
    /^\.env:2: This line begins a block that has no end, "# <<< port-allocator: shop <<<"/,
  );
  refuse(`A=1\r\n${ENDING}\r\n`, /^\.env:2: This line ends a block of shop that does not begin before it/);
  refuse(`${written()}\n${written()}\n`, /^\.env:5: This line begins a second block of shop/);
  refuse(`${OPENING}\n${OPENING}\n${ENDING}\n`, /^\.env:2: .*within the one that begins in line 1/);
  refuse(`${OPENING}\n# <<< port-allocator: other <<<\n`, /^\.env:2: This line ends a block of other/);
  refuse(`# >>> port-allocator: >>>\n`, /^\.env:1: This line is a marker of a block, and is damaged/);
});

t.test('variables that the file sets besides are told, and which of them counts', async (t) => {
  const text = `WEB_PORT=1\n#NAME=x\n${written()}\nexport NAME = y\nWEB_PORT_2=1`;
  t.same(putBlock(latin1(text), block, '.env').twice, [
    { name: 'WEB_PORT', line: 1, isAfter: false },
    { name: 'NAME', line: 7, isAfter: true },
  ]);
});

t.test('nothing outside of the block changes, and writing again changes nothing', async (t) => {
  const piece = fc.constantFrom('\n', '\r\n', '\r', 'A=1', '# >>>', ' ', '\u00ef\u00bb\u00bf', '\u0000', '\u00ff');
  const content = fc.array(fc.oneof(piece, fc.string({ unit: 'binary', maxLength: 5 })), { maxLength: 12 });
  const bytes = content.map((pieces) => latin1(pieces.join('')));
  const line = fc.stringMatching(/^[A-Z]{1,3}=[a-z]{0,3}$/);
  await holds(
    t,
    fc.property(bytes, fc.array(line), fc.array(line), (before, first, second) => {
      const once = putBlock(before, { ...block, lines: first }, '').text;
      const twice = putBlock(once, { ...block, lines: second }, '').text;
      const [head, tail] = once.split(/# >>> port-allocator: shop[\s\S]*port-allocator: shop <<</) as [string, string];
      return (
        once.startsWith(before) &&
        /^(\r?\n)?$/.test(head.slice(before.length)) &&
        /^(\r?\n)?$/.test(tail) &&
        twice.startsWith(head) &&
        twice.endsWith(tail) &&
        putBlock(twice, { ...block, lines: second }, '').text === twice &&
        putBlock(twice, { ...block, lines: first }, '').text === once
      );
    }),
    { numRuns: 2000 },
  );
});
