import { Ajv2020, type Options } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import type { FieldError } from '../errors.js';
import { components } from './components.js';
import { canonicalHost } from './host.js';

/**
 * The validator of an input, REST's and MCP's. Fields that the schema does not know are refused, never
 * dropped; bodies are taken as they are; only what a URL or a header carries, where all is text, is coerced.
 */
export function createValidator(options: Pick<Options, 'coerceTypes'>): Ajv2020 {
  const ajv = new Ajv2020({
    allErrors: false,
    useDefaults: true,
    removeAdditional: false,
    strict: false,
    meta: false, // the schemas are our own: the contract's tests and lint check them, and not every start
    validateSchema: false,
    verbose: true, // a finding carries its schema, whose description says in words what its pattern means
    ...options,
  });
  addFormats.default(ajv, ['uuid', 'date-time']);
  for (const component of components) ajv.addSchema(component);
  ajv.addKeyword({
    keyword: 'x-canonical',
    type: 'string',
    schemaType: 'string',
    modifying: true,
    error: { message: 'must be a host name or an IP address' },
    validate: (
      form: string,
      value: string,
      _parent: unknown,
      place?: { parentData: object; parentDataProperty: string | number },
    ) => {
      const canonical = form === 'host' ? canonicalHost(value) : value.toLowerCase();
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
    validate: (limit: number, value: object) => Buffer.byteLength(JSON.stringify(value)) <= limit,
  });
  return ajv;
}

/** What Ajv finds, in its own words. */
export interface Finding {
  instancePath: string;
  keyword: string;
  message?: string;
  params: Record<string, unknown>;
  parentSchema?: { description?: string };
}

/** The same in ours. */
export function describeFinding(finding: Finding): FieldError {
  const { instancePath, keyword, params, message = 'is not valid' } = finding;
  if (keyword === 'additionalProperties') {
    return { pointer: `${instancePath}/${params.additionalProperty}`, detail: 'is not a known field' };
  }
  if (keyword === 'required') {
    return { pointer: `${instancePath}/${params.missingProperty}`, detail: 'is required' };
  }
  const { description } = finding.parentSchema ?? {};
  if (keyword === 'pattern' && description) {
    return { pointer: instancePath, detail: `is not of the form that it needs. ${description}` };
  }
  const allowed = Array.isArray(params.allowedValues) ? `: ${params.allowedValues.join(', ')}` : '';
  return { pointer: instancePath, detail: message + allowed };
}

const MAX_DEPTH = 10;
// Line feed, carriage return and tab are text; the other control characters have no place in a registry.
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
const CONTROL_CHARACTER = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f]/;

/**
 * What no JSON value sent to this service may hold, because the database could not keep it as it is, or because it
 * would harm who reads it.
 * @returns a pointer and a sentence about the first finding, or null
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
    const below = `${pointer}/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`;
    const finding =
      describeText(key, below) ?? describePrototype(key, item, below) ?? findUnstorable(item, below, depth + 1);
    if (finding) return finding;
  }
  return null;
}

/** What a reader that merges objects would take for their prototype. */
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
