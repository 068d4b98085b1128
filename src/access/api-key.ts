import { createHash, randomBytes } from 'node:crypto';

const SECRET_BYTES = 32;
const FORM = /^pa_([0-9a-f]{8})([0-9a-f]{4})([0-9a-f]{4})([0-9a-f]{4})([0-9a-f]{12})_[A-Za-z0-9_-]{43}$/;
const ANY = /pa_[0-9a-f]{32}_[A-Za-z0-9_-]+/g;

/** A new key for an id: recognisable, with its id for the look-up, and 256 random bits that are the secret. */
export function makeApiKey(id: string): string {
  return `pa_${id.replaceAll('-', '')}_${randomBytes(SECRET_BYTES).toString('base64url')}`;
}

/** The id that a key names; null for what has not the form of one. */
export function idOfApiKey(key: string): string | null {
  const [, ...parts] = FORM.exec(key) ?? [];
  return parts.length > 0 ? parts.join('-') : null;
}

/** What is stored of a key. It is too random to be guessed, so that one round of a fast hash does. */
export const hashApiKey = (key: string): Buffer => createHash('sha256').update(key).digest();

/** For logs and problems: someone pastes a key wherever it does not belong. */
export type Redact = (text: string) => string;

/** @param adminApiKey has no form to know it by */
export function redactKeys(adminApiKey: string | null): Redact {
  return (text) => {
    const rest = text.includes('pa_') ? text.replace(ANY, 'pa_…') : text;
    return adminApiKey === null ? rest : rest.replaceAll(adminApiKey, '…');
  };
}
