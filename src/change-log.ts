import type { Redact } from './access/api-key.js';
import { type Caller, callerId } from './access/caller.js';

/** What identifies an object, in whichever input or answer it stands; nothing else of these is logged. */
const IDENTIFYING = [
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
/** Names, hosts, ids and numbers; what else was given in their place is not worth its risk. */
const HARMLESS = /^[\w.:-]{1,253}$/;

/** Who asked, as a line of the log tells it. None yet where a request was refused before that. */
export function whoOf(caller: Caller | undefined): { key: string | null; keyId: string | null } {
  return caller?.kind === 'key' ? { key: caller.name, keyId: callerId(caller) } : { key: null, keyId: null };
}

/** What an operation was about: the object that it answered, or else the one that was asked for. */
export function objectOf(input: unknown, answer: unknown, redact: Redact): Record<string, string | number> {
  const object: Record<string, string | number> = {};
  for (const source of [input, answer]) {
    if (typeof source !== 'object' || source === null) continue;
    const fields = source as Record<string, unknown>;
    for (const name of IDENTIFYING) {
      const value = fields[name];
      if (typeof value === 'number' || (typeof value === 'string' && HARMLESS.test(value))) {
        object[name] = typeof value === 'number' ? value : redact(value);
      }
    }
    if (Array.isArray(fields.items)) object.items = fields.items.length;
  }
  return object;
}
