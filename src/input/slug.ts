import { toAsciiLowerCase } from './lower-case.js';

/** The form of the names of projects, services and environments. */
export const NAME_PATTERN = '^[a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?$';

const NAME = new RegExp(NAME_PATTERN);
const HASH_LENGTH = 4;
/** Leaves room for a hyphen and the hash in the 63 characters of a name. */
const MAX_READABLE_LENGTH = 63 - 1 - HASH_LENGTH;
/** What comes later in a text is only hashed. To read a mebibyte of separators took 60 ms. */
const MAX_READ_LENGTH = 1000;

/**
 * Makes a name of any text, for example of a branch: `feature/cart` becomes `feature-cart-` and a hash. Two texts that
 * differ in more than case get different names, because the hash is that of the original text. A text that is a name
 * stays as it is, and so does one that is a name in capitals, except for its case.
 */
export function toSlug(text: string): string {
  const lower = toAsciiLowerCase(text.slice(0, MAX_READ_LENGTH));
  if (NAME.test(lower)) return lower;
  return withHash(toReadable(lower), text);
}

/**
 * A name with the hash of a text after it, and cut where that makes it too long. It is the hash alone if nothing is
 * before it, as in the slug of a name in another script.
 */
export function withHash(readable: string, text: string): string {
  return [trim(readable.slice(0, MAX_READABLE_LENGTH)), hashOf(text)].filter(Boolean).join('-');
}

/** What a slug keeps of a text in lower case, before it is cut to its length. */
export const toReadable = (lower: string): string => trim(lower.replace(/[^a-z0-9._]+/g, '-'));

const trim = (text: string): string => text.replace(/^[._-]+/, '').replace(/(?<![._-])[._-]+$/, '');

/** Four of 36 characters, which is 1.7 million possibilities. */
function hashOf(text: string): string {
  // Loaded where it is needed, because most texts are names and the command takes 3 ms to load it.
  const { createHash } = process.getBuiltinModule('node:crypto');
  const number = createHash('sha256').update(text).digest().readUIntBE(0, 6);
  return number.toString(36).padStart(HASH_LENGTH, '0').slice(-HASH_LENGTH);
}
