import jsonc from 'jsonc-parser';

/** Where in a body something is wrong (a JSON pointer), and what. */
interface Fault {
  pointer: string;
  detail: string;
}

/** Deeper values are not searched. They are refused for their depth, and the search calls itself for each level. */
const MAX_LEVELS = 100;
const MAX_QUOTED_LENGTH = 40;

/**
 * Says where a text stops being JSON, and why. Use it for a text that `JSON.parse` has refused: its own message has no
 * position in most cases.
 */
export function describeSyntaxError(text: string): string {
  const found = search(text, { onError: (error, place) => ({ pointer: '', detail: describe(text, error, place) }) });
  return `The body is not JSON${found === null ? '.' : `: ${found.detail}`}`;
}

/**
 * Finds a name that stands twice in one object. `JSON.parse` would take the last value without a word.
 *
 * The search takes several times as long as `JSON.parse`, so most bodies are spared it: a body with as many colons as
 * names has neither a name twice nor a colon in a text.
 * @param value what `JSON.parse` has made of the text
 */
export function findRepeatedName(text: string, value: unknown): Fault | null {
  if (countColons(text) === countNames(value)) return null;
  const levels: Set<string>[] = [];
  return search(text, {
    onObject: () => levels.push(new Set()),
    onObjectEnd: () => levels.pop(),
    onName(name, path) {
      const names = levels.at(-1) as Set<string>;
      if (names.has(name)) return { pointer: toPointer([...path(), name]), detail: 'stands twice in the same object' };
      names.add(name);
      return null;
    },
  });
}

/** Quotes a value that a caller sent, in a message to the caller: as JSON, and cut off where it is long. */
export function quote(value: string): string {
  if (value.length <= MAX_QUOTED_LENGTH) return JSON.stringify(value);
  return `${JSON.stringify(value.slice(0, MAX_QUOTED_LENGTH).toWellFormed())}…`;
}

export function toPointer(path: readonly (string | number)[]): string {
  return path.map((part) => `/${String(part).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
}

interface Place {
  offset: number;
  length: number;
  /** Both count from 1. */
  line: number;
  column: number;
}

interface Handlers {
  onObject?(): void;
  onObjectEnd?(): void;
  /** @param path answers the names and indexes above the name */
  onName?(name: string, path: () => (string | number)[]): Fault | null;
  onError?(error: jsonc.ParseErrorCode, place: Place): Fault;
}

/** Thrown out of the parser to end the search. Its visitors have no other way. */
class Ended {
  constructor(readonly fault: Fault | null) {}
}

/** Reads a text up to its first fault. @returns null if there is none, or none above `MAX_LEVELS` */
function search(text: string, { onObject, onObjectEnd, onName, onError }: Handlers): Fault | null {
  let level = 0;
  const enter = () => {
    level += 1;
    if (level > MAX_LEVELS) throw new Ended(null);
  };
  const leave = () => {
    level -= 1;
  };
  const visitor: jsonc.JSONVisitor = {
    onObjectBegin() {
      enter();
      onObject?.();
    },
    onObjectEnd() {
      leave();
      onObjectEnd?.();
    },
    onArrayBegin: enter,
    onArrayEnd: leave,
    onObjectProperty(name, _offset, _length, _line, _column, path) {
      const fault = onName?.(name, path);
      if (fault) throw new Ended(fault);
    },
    onError(error, offset, length, line, column) {
      throw new Ended(onError?.(error, { offset, length, line: line + 1, column: column + 1 }) ?? null);
    },
  };
  try {
    jsonc.visit(text, visitor, { disallowComments: true });
  } catch (end) {
    if (end instanceof Ended) return end.fault;
    throw end;
  }
  return null;
}

function countColons(text: string): number {
  let count = 0;
  for (let at = text.indexOf(':'); at >= 0; at = text.indexOf(':', at + 1)) count += 1;
  return count;
}

/** The names of all objects in a value. */
function countNames(value: unknown): number {
  let count = 0;
  const waiting = [value];
  while (waiting.length > 0) {
    const next = waiting.pop();
    if (typeof next !== 'object' || next === null) continue;
    const items = Object.values(next);
    if (!Array.isArray(next)) count += items.length;
    for (const item of items) waiting.push(item);
  }
  return count;
}

const QUOTES =
  'JSON has double quotes around names and texts; a shell removes them unless the whole body is in single quotes.';
const TRAILING_COMMA = 'JSON has no comma after the last item.';

// By the codes of jsonc-parser's `ParseErrorCode`, which is a const enum and has no values at run time.
const EXPECTED: { [error: number]: string } = {
  3: 'a name in double quotes',
  4: 'a value',
  5: 'a colon',
  6: 'a comma',
  7: 'a closing brace',
  8: 'a closing bracket',
  9: 'the end of the body',
};
const BROKEN: { [error: number]: string } = {
  10: 'is a comment, and JSON has none.',
  11: 'is a comment, and JSON has none.',
  12: 'a text begins that is not closed in its line. A line break in a text is written \\n.',
  13: 'is a number that is not complete.',
  14: 'a text begins that has an incomplete \\u sequence. It takes four hex digits.',
  15: 'a text begins that has a backslash before a character that takes none. A backslash itself is written \\\\.',
  16: 'a text begins that has a control character in it, such as a tab. A tab is written \\t.',
};

function describe(text: string, error: jsonc.ParseErrorCode, { offset, length, line, column }: Place): string {
  const where = `at line ${line}, column ${column}`;
  const broken = BROKEN[error];
  if (broken !== undefined) return `${where} ${broken}`;
  const expected = EXPECTED[error];
  const token = text.slice(offset, offset + length);
  if (expected === undefined) return `${where} is ${quote(token)}, which JSON does not have.${hintAt(token)}`;
  if (text.slice(offset).trim() === '') return `it ends ${where}, where ${expected} is expected.`;
  const isAfterComma = /^[\]}]/.test(token) && /,\s*$/.test(text.slice(0, offset));
  return `${where} is ${quote(token)}, where ${expected} is expected.${isAfterComma ? ` ${TRAILING_COMMA}` : ''}`;
}

/** A word without quotes, or with others, has most likely passed through a shell. */
const hintAt = (token: string): string =>
  /^[\p{L}_'‘’“”\\]/u.test(token) && !/^(NaN|Infinity|undefined)$/.test(token) ? ` ${QUOTES}` : '';
