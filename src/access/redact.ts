import { toAsciiLowerCase } from '../input/lower-case.js';
import { toReadable } from '../input/slug.js';

/** Replaces API keys in a text that is logged or answered. People paste a key into fields where it does not belong. */
export type Redact = (text: string) => string;

/** Also matches a key whose end was cut off, or which other characters follow, because most of its secret is there. */
const STORED_KEY = /pa_[0-9a-f]{32}_[a-z0-9_-]+/g;
/**
 * A configured key has no form by which it could be recognised. The beginning of one is taken for the whole if it has
 * half of its characters, but at least 16 and at most 32: refusals quote the first 40 characters of a value.
 */
const LEAST_BEGINNING = 16;
const MOST_BEGINNING = 32;

interface Found {
  start: number;
  end: number;
  instead: string;
}

/** A spelling of a configured key, and as much of its beginning as is searched for. */
interface Spelling {
  key: string;
  beginning: string;
}

/**
 * Makes a function that replaces every key of this service, and these configured ones. It also finds keys in other
 * spellings: percent-encoded, once or several times, as in a path; in capitals; and as `toSlug` changes them for the
 * name that a refusal suggests.
 * @param configured null where there is none
 */
export function redactKeys(...configured: (string | null)[]): Redact {
  const spellings = configured.filter((key) => key !== null).flatMap(spellingsOf);
  return (text) => {
    const { plain, placeOf } = readPlain(text);
    const found = [...findStoredKeys(plain), ...spellings.flatMap((spelling) => findConfigured(plain, spelling))];
    if (found.length === 0) return text;
    let redacted = '';
    let at = 0;
    for (const { start, end, instead } of found.sort((a, b) => a.start - b.start || b.end - a.end)) {
      if (placeOf(start) < at) continue; // it is a part of the one before
      redacted += text.slice(at, placeOf(start)) + instead;
      at = placeOf(end);
    }
    return redacted + text.slice(at);
  };
}

function spellingsOf(configured: string): Spelling[] {
  const key = toAsciiLowerCase(configured);
  const slug = toReadable(key);
  const length = Math.min(Math.max(Math.ceil(key.length / 2), LEAST_BEGINNING), MOST_BEGINNING);
  return [...new Set([key, slug])]
    .filter((spelling) => spelling.length >= length)
    .map((spelling) => ({ key: spelling, beginning: spelling.slice(0, length) }));
}

function findStoredKeys(plain: string): Found[] {
  if (!plain.includes('pa_')) return [];
  return [...plain.matchAll(STORED_KEY)].map(({ 0: key, index }) => ({
    start: index,
    end: index + key.length,
    instead: 'pa_…',
  }));
}

function findConfigured(plain: string, { key, beginning }: Spelling): Found[] {
  const found: Found[] = [];
  for (let start = plain.indexOf(beginning); start >= 0; ) {
    let end = start + beginning.length;
    while (end - start < key.length && plain[end] === key[end - start]) end += 1;
    found.push({ start, end, instead: '…' });
    start = plain.indexOf(beginning, end);
  }
  return found;
}

/**
 * The text in lower case and without percent-encoding, however often it was applied: `%70`, `%2570` and `%25%37%30` are
 * all a `p`.
 * @returns `placeOf` gives the place in the text at which a character of `plain` begins
 */
function readPlain(text: string): { plain: string; placeOf(index: number): number } {
  if (!text.includes('%')) return { plain: toAsciiLowerCase(text), placeOf: (index) => index };
  const characters: string[] = [];
  const places: number[] = [];
  for (let place = 0; place < text.length; place += 1) {
    characters.push(text[place] as string);
    places.push(place);
    for (let code = lastCode(characters); code !== null; code = lastCode(characters)) {
      // What was decoded may be the end of another code, and stands where the percent sign stood.
      characters.splice(-3, 3, String.fromCharCode(code));
      places.splice(-2);
    }
  }
  return { plain: toAsciiLowerCase(characters.join('')), placeOf: (index) => places[index] ?? text.length };
}

/** The character that the last three encode, if they do. */
function lastCode(characters: readonly string[]): number | null {
  if (characters.at(-3) !== '%') return null;
  const digits = `${characters.at(-2)}${characters.at(-1)}`;
  return /^[0-9a-f]{2}$/i.test(digits) ? Number.parseInt(digits, 16) : null;
}
