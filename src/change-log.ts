import { type Caller, callerId } from './access/caller.js';
import type { Redact } from './access/redact.js';

/**
 * The fields of an input or answer that are logged, because they say which object it is about. No other field is
 * logged.
 */
const IDENTIFYING_FIELDS = [
  'id',
  'project',
  'service',
  'environment',
  'host',
  'protocol',
  'port',
  'startPort',
  'name',
  'role',
];
/**
 * Matches names, hosts, ids and numbers. A refused request may have any other text in these fields, which is not
 * logged.
 */
const LOGGED_TEXT = /^[\w.:-]{1,253}$/;

/**
 * The fields of a log line that name the caller's key.
 * @param caller undefined if a request was refused before its caller was known
 */
export function callerFields(caller: Caller | undefined): { key: string | null; keyId: string | null } {
  return caller?.kind === 'key' ? { key: caller.name, keyId: callerId(caller) } : { key: null, keyId: null };
}

/**
 * The fields that identify an operation's object. If a field is in the input and in the answer, the answer's value
 * counts.
 */
export function objectFields(input: unknown, answer: unknown, redact: Redact): Record<string, string | number> {
  const object: Record<string, string | number> = {};
  for (const source of [input, answer]) {
    if (typeof source !== 'object' || source === null) continue;
    const fields = source as Record<string, unknown>;
    for (const name of IDENTIFYING_FIELDS) {
      const value = fields[name];
      if (typeof value === 'number' || (typeof value === 'string' && LOGGED_TEXT.test(value))) {
        object[name] = typeof value === 'number' ? value : redact(value);
      }
    }
    if (Array.isArray(fields.items)) object.items = fields.items.length;
  }
  return object;
}
