import fc from 'fast-check';
import t from 'tap';
import { describeSyntaxError, findExcess, findRepeatedName } from '../../src/input/json.js';
import { MAX_IMPORT_ITEMS } from '../../src/schemas/import.js';
import { BODY_BOUNDS } from '../../src/schemas/validation.js';
import { holds } from '../helpers/properties.js';

const isJson = (text: string) => {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
};
const repeated = (text: string) => findRepeatedName(text, JSON.parse(text));

t.test('a syntax error is told with its line and column, and with what stands there', async (t) => {
  for (const [text, expected] of [
    ['{', /ends at line 1, column 2, where a closing brace is expected\.$/],
    ['{"a":}', /at line 1, column 6 is "}", where a value is expected\.$/],
    ['{\n  "a": 1,\n  "b" 2\n}', /at line 3, column 7 is "2", where a colon is expected\.$/],
    ["{'a':1}", /at line 1, column 2 is "'a'", which JSON does not have\. JSON has double quotes .* a shell /],
    ['{service:web}', /at line 1, column 2 is "service", .* a shell removes them/],
    ['{"a":1,}', /at line 1, column 8 is "}", .* no comma after the last item\.$/],
    ['[1,]', /at line 1, column 4 is "]", .* no comma after the last item\.$/],
    ['{"a":NaN}', /at line 1, column 6 is "NaN", which JSON does not have\.$/],
    ['{"a":1} // x', /at line 1, column 9 is a comment, and JSON has none\.$/],
    ['{"a":"x\ny"}', /at line 1, column 6 a text begins that is not closed in its line\./],
    ['{"a":"\\x"}', /at line 1, column 6 a text begins that has a backslash before/],
    ['{"a":"\t"}', /at line 1, column 6 a text begins that has a control character/],
    ['{"a":1}}', /at line 1, column 8 is "}", where the end of the body is expected\.$/],
    [`{"a":${'x'.repeat(1000)}}`, /is "x{40}"…, which JSON does not have\./],
  ] as const) {
    t.notOk(isJson(text), text);
    t.match(describeSyntaxError(text), /^The body is not JSON: /);
    t.match(describeSyntaxError(text), expected, text);
  }
});

t.test('every text that is not JSON has a place where it is not', async (t) => {
  const damaged = fc
    .tuple(
      fc.json({ maxDepth: 3 }),
      fc.nat(),
      fc.constantFrom('', '}', ']', ',', ':', '"', "'", '\\', '0', 'x', '\0', '\n'),
    )
    .map(([json, at, character]) => {
      const place = at % (json.length + 1);
      return json.slice(0, place) + character + json.slice(place + 1);
    })
    .filter((text) => text !== '' && !isJson(text));
  await holds(
    t,
    fc.property(damaged, (text) => /line \d+, column \d+/.test(describeSyntaxError(text))),
  );
});

t.test('a name that stands twice in one object is found, however it is written', async (t) => {
  for (const [text, pointer] of [
    ['{"a":1,"a":1}', '/a'],
    ['{"a":1,"\\u0061":2}', '/a'],
    ['{"a":{"b":1},"a":{"c":2}}', '/a'],
    ['{"x":[{},{"y":{"z":1,"z":2}}]}', '/x/1/y/z'],
    ['{"a/b":{"~":1,"~":2}}', '/a~1b/~0'],
    ['{"":1,"":2}', '/'],
    ['{"__proto__":1,"__proto__":2}', '/__proto__'],
    // As many colons as there are names left: one of the two ":" in a text stands for the name that was dropped.
    ['{"a":{"b":1,"c":2},"a":":"}', '/a'],
  ] as const) {
    t.same(repeated(text), { pointer, detail: 'stands twice in the same object' }, text);
  }
});

t.test('the same name in several objects is no repetition, and neither is a colon in a text', async (t) => {
  for (const text of [
    '{"a":{"a":{"a":1}}}',
    '[{"a":1},{"a":1}]',
    '{"a":"http://a:1","b":["b:b"]}',
    '{"a:a":1,"a":{"a:a":1}}',
    '{"toString":1,"constructor":2}',
    '"a:a"',
    'null',
  ]) {
    t.equal(repeated(text), null, text);
  }
});

t.test('a repetition is found exactly where JSON.parse would drop a value', async (t) => {
  const name = fc.constantFrom('a', 'b', 'c:', '__proto__');
  const { value } = fc.letrec<{ value: string }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 4 },
      fc.constantFrom('1', '":"', 'null', '{}'),
      fc.array(tie('value'), { maxLength: 3 }).map((items) => `[${items}]`),
      fc
        .array(fc.tuple(name, tie('value')), { maxLength: 3 })
        .map((entries) => `{${entries.map(([key, item]) => `${JSON.stringify(key)}:${item}`)}}`),
    ),
  }));
  await holds(
    t,
    fc.property(value, (text) => (repeated(text) === null) === (JSON.stringify(JSON.parse(text)) === text)),
    { numRuns: 500 },
  );
});

t.test('the largest bodies are searched quickly, however deep they are', async (t) => {
  const MIB = 1024 * 1024;
  const nested = (open: string, close: string) => {
    const levels = Math.floor(MIB / (open.length + close.length)) - 1;
    return `${open.repeat(levels)}1${close.repeat(levels)}`;
  };
  const bodies = [
    nested('[', ']'),
    nested('{"a:":', '}'),
    `[${'0,'.repeat(MIB / 2 - 2)}":"]`,
    `{${Array.from({ length: 60_000 }, (_, index) => `"k${index}:":1`)}}`,
    `{"a":"${':'.repeat(MIB)}"}`,
  ];
  for (const body of bodies) {
    const begun = performance.now();
    t.equal(repeated(body), null);
    describeSyntaxError(body.slice(0, -1));
    t.ok(performance.now() - begun < 2000, `${body.slice(0, 10)}… ${Math.round(performance.now() - begun)} ms`);
  }
});

t.test('what is too deep, too much or too long to be parsed is found in the text', async (t) => {
  const bounds = { depth: 2, values: 10, nameLength: 5 };
  for (const [text, expected] of [
    ['', null],
    ['1', null],
    ['{"a":[[]]}', null],
    ['{"a":[[[', 'is nested more than 2 levels deep'],
    ['[[]],[[]]', null],
    ['[1,2,3,4,5,6,7,8,9]', null], // nine values in one list
    ['[1,2,3,4,5,6,7,8,9,0]', 'has more than 10 names and values'],
    ['{"a":1,"b":2,"c":3,"d":4}', null],
    ['{"a":1,"b":2,"c":3,"d":4,"e":5}', 'has more than 10 names and values'],
    ['{"12345":"123456"}', null],
    ['{"123456" : 1}', 'has a name of more than 5 characters'],
    ['"[[[[{{{{,,,,,,,,,,,,::::"', null],
    ['{"a":"\\"[[[[\\\\"}', null],
    ['{"a":"\\\\"[[[[', 'is nested more than 2 levels deep'],
    ['{"a":"[[[[', null], // no JSON, as the parser will say
  ] as const) {
    t.equal(findExcess(text, bounds), expected, text);
  }
});

t.test('the largest bodies that anybody needs have no excess', async (t) => {
  const port = { port: 65_535, service: 'a', environment: 'b', host: 'c', protocol: 'tcp' };
  const largest = JSON.stringify({ items: Array.from({ length: MAX_IMPORT_ITEMS }, () => port) });
  t.equal(findExcess(largest, BODY_BOUNDS), null);
  const metadata = { a: Array.from({ length: 8000 }, () => 1) }; // 16 KiB
  t.equal(findExcess(JSON.stringify({ services: [{ service: 'a', metadata }] }), BODY_BOUNDS), null);
});
