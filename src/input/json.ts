import jsonc from 'jsonc-parser';
import { makeVisible } from './visible.js';

/** Where in a body something is wrong (a JSON pointer), and what. */
interface Fault {
  pointer: string;
  detail: string;
}

/** Deeper values are not searched. They are refused for their depth, and the search calls itself for each level. */
const MAX_LEVELS = 100;
const MAX_QUOTED_LENGTH = 40;

/**
 * Says whether a text is nested too deeply, or has too many or too long names, to be parsed. It goes through the text
 * once, and takes two milliseconds for a mebibyte. To parse and check what it refuses would take hundreds, in which
 * nobody else is answered, and a refusal that names a place would be as long as the names on the way there.
 *
 * Names and values are counted by what stands before them: there is one after each `{`, `[`, `,` and `:`. An empty list
 * or object counts one too many. The text need not be JSON.
 * @param bounds `depth`: how many levels of lists and objects may be below the outermost
 * @returns what is wrong, to follow "The body"; null if nothing is
 */
export function findExcess(text: string, bounds: { depth: number; values: number; nameLength: number }): string | null {
  let depth = -1;
  let values = 1;
  let lastText = 0; // how long the last text in quotes was, which is a name if a colon follows
  for (let at = 0; at < text.length; at++) {
    const character = text[at];
    if (character === '"') {
      const end = endOfText(text, at);
      lastText = end - at - 1;
      at = end;
    } else if (character === '[' || character === '{') {
      depth += 1;
      values += 1;
      if (depth > bounds.depth) return `is nested more than ${bounds.depth} levels deep`;
    } else if (character === ']' || character === '}') {
      depth -= 1;
    } else if (character === ',') {
      values += 1;
    } else if (character === ':') {
      values += 1;
      if (lastText > bounds.nameLength) return `has a name of more than ${bounds.nameLength} characters`;
    }
    if (values > bounds.values) return `has more than ${bounds.values} names and values`;
  }
  return null;
}

/** Where a text in double quotes ends. @param start of its first quote */
function endOfText(text: string, start: number): number {
  for (let at = start + 1; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === 0x22) return at;
    if (code === 0x5c) at += 1; // a backslash and what it stands before
  }
  return text.length;
}

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
 * The search takes several times as long as `JSON.parse`, so it is made only to say where: a name stands twice if the
 * text has more names than the value that was made of it.
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

/**
 * Quotes a value that a caller sent, in a message to the caller: as JSON, cut off where it is long, and with what cannot
 * be seen written out.
 */
export function quote(value: string): string {
  if (value.length <= MAX_QUOTED_LENGTH) return makeVisible(JSON.stringify(value));
  return `${makeVisible(JSON.stringify(value.slice(0, MAX_QUOTED_LENGTH).toWellFormed()))}…`;
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

/** The names in a text that is JSON: each has a colon after it. */
function countColons(text: string): number {
  let count = 0;
  for (let at = 0; at < text.length; at++) {
    const character = text[at];
    if (character === '"') at = endOfText(text, at);
    else if (character === ':') count += 1;
  }
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
