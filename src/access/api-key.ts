import { createHash, randomBytes } from 'node:crypto';

const SECRET_BYTES = 32;
const KEY = /^pa_([0-9a-f]{8})([0-9a-f]{4})([0-9a-f]{4})([0-9a-f]{4})([0-9a-f]{12})_[A-Za-z0-9_-]{43}$/;

/**
 * Makes a key: `pa_`, so that it can be recognised; its id, by which it is looked up; and 256 random bits, its secret.
 */
export function makeApiKey(id: string): string {
  return `pa_${id.replaceAll('-', '')}_${randomBytes(SECRET_BYTES).toString('base64url')}`;
}

/** @returns null if the text has not the form of a key */
export function idOfApiKey(key: string): string | null {
  const [, ...parts] = KEY.exec(key) ?? [];
  return parts.length > 0 ? parts.join('-') : null;
}

/** What is stored of a key. One round of a fast hash is enough, because 256 random bits cannot be guessed. */
export const hashApiKey = (key: string): Buffer => createHash('sha256').update(key).digest();
