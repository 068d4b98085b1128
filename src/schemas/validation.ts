import { Ajv2020, type Options } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { toPointer } from '../input/json.js';
import { canonicalTime } from '../input/time.js';
import { components } from './components.js';
import { canonicalHost } from './host.js';

/** The largest body of REST, and the largest input of a tool. */
export const BODY_LIMIT_BYTES = 1024 * 1024;
/**
 * The most names and values of one body. The largest that anybody needs is an import of 5,000 ports with all their
 * fields, which has 55,003: each port is a value with five names and five values. A body of 1 MiB has room for 500,000.
 */
const MAX_VALUES = 60_000;
/** Longer names in a body are refused before it is parsed. Those of all fields are shorter, and so are sensible ones. */
const MAX_NAME_LENGTH = 1000;
/** How deep a value may be nested. `metadata` is the only field whose depth its sender chooses. */
export const MAX_DEPTH = 10;
/** What a body may have to be parsed. */
export const BODY_BOUNDS = { depth: MAX_DEPTH, values: MAX_VALUES, nameLength: MAX_NAME_LENGTH };

/** How a text is brought into the one form in which it is stored, by the value of `x-canonical`. Null: it is not valid. */
const CANONICAL: Record<string, { of(text: string): string | null; rule: string }> = {
  host: { of: canonicalHost, rule: 'must be a host name or an IP address' },
  time: { of: canonicalTime, rule: 'must be a time in the years 1 to 9999 (UTC)' },
};
const LOWER_CASE = { of: (text: string) => text.toLowerCase(), rule: 'is not valid' };

/**
 * Creates the validator for the inputs of REST and MCP. Fields that the schema does not know are refused and never
 * dropped. Values in a body must have the right type already. Only values from a URL or a header, where everything is
 * text, may be converted (`coerceTypes`).
 */
export function createValidator(options: Pick<Options, 'coerceTypes'>): Ajv2020 {
  const ajv = new Ajv2020({
    allErrors: false,
    useDefaults: true,
    removeAdditional: false,
    strict: false,
    meta: false, // the contract's tests and its linter check the schemas, so that starting need not
    validateSchema: false,
    verbose: true, // adds the schema to each error: its description says in words what its pattern means
    ...options,
  });
  addFormats.default(ajv, ['uuid', 'date-time']);
  for (const component of components) ajv.addSchema(component);
  ajv.addKeyword({
    keyword: 'x-canonical',
    type: 'string',
    schemaType: 'string',
    modifying: true,
    error: { message: ({ schema }) => (CANONICAL[schema] ?? LOWER_CASE).rule },
    validate: (
      form: string,
      value: string,
      _parent: unknown,
      place?: { parentData: object; parentDataProperty: string | number },
    ) => {
      const canonical = (CANONICAL[form] ?? LOWER_CASE).of(value);
      if (canonical === null) return false;
      if (place) Reflect.set(place.parentData, place.parentDataProperty, canonical);
      return true;
    },
  });
  ajv.addKeyword({
    keyword: 'x-maxJsonBytes',
    type: 'object',
    schemaType: 'number',
    error: { message: 'is too large as JSON' },
    validate: (limit: number, value: object) => sizeAsStored(value) <= limit,
  });
  return ajv;
}

/** The bytes of a value as JSON. PostgreSQL writes numbers out: `1e-300`, with six characters, has 302 digits there. */
function sizeAsStored(value: object): number {
  let added = 0;
  const text = JSON.stringify(value, (_, part) => {
    const exponent = typeof part === 'number' ? /e[+-](\d+)$/.exec(String(part)) : null;
    added += Number(exponent?.[1] ?? 0);
    return part;
  });
  return Buffer.byteLength(text) + added;
}

// Line feed, carriage return and tab are allowed in texts. The other control characters are refused.
// biome-ignore lint/suspicious/noControlCharactersInRegex: it is there to find control characters
const CONTROL_CHARACTER = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f]/;

/**
 * Searches a JSON value for something that no input may hold, either because the database could not store it unchanged
 * or because it could harm a program that reads it.
 * @returns where the first such thing is (a JSON pointer) and what is wrong with it; null if there is none
 */
export function findUnstorable(value: unknown, pointer = '', depth = 0): { pointer: string; detail: string } | null {
  if (depth > MAX_DEPTH) return { pointer, detail: `is nested more than ${MAX_DEPTH} levels deep` };
  if (typeof value === 'string') return describeText(value, pointer);
  if (typeof value === 'number' && !Number.isFinite(value)) {
    return { pointer, detail: 'is too large a number' };
  }
  if (Number.isInteger(value) && !Number.isSafeInteger(value)) {
    return { pointer, detail: 'is an integer beyond 2^53, which would lose digits; send it as a string' };
  }
  if (typeof value !== 'object' || value === null) return null;
  for (const [key, item] of Object.entries(value)) {
    const below = pointer + toPointer([key]);
    const finding =
      describeText(key, below) ?? describePrototype(key, item, below) ?? findUnstorable(item, below, depth + 1);
    if (finding) return finding;
  }
  return null;
}

/** Refuses names that would change the prototype of an object when a program merges this value into another one. */
function describePrototype(key: string, value: unknown, pointer: string) {
  const reaches =
    key === '__proto__' ||
    (key === 'constructor' && typeof value === 'object' && value !== null && Object.hasOwn(value, 'prototype'));
  return reaches ? { pointer, detail: 'is a name that would reach the prototype of an object' } : null;
}

function describeText(text: string, pointer: string) {
  if (CONTROL_CHARACTER.test(text)) return { pointer, detail: 'holds a control character' };
  if (!text.isWellFormed()) return { pointer, detail: 'holds a lone surrogate, which is no character' };
  return null;
}
