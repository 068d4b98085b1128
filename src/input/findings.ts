import type { Redact } from '../access/redact.js';
import type { AppError, FieldError } from '../errors.js';
import { findClosest } from './closest.js';
import { quote, toPointer } from './json.js';
import { NAME_PATTERN, toSlug } from './slug.js';

/** The fields of Ajv's `ErrorObject` that are used here. */
export interface Finding {
  instancePath: string;
  keyword: string;
  message?: string;
  params: Record<string, unknown>;
  /** The value that was refused, and the schema that refused it. Ajv adds both because of its option `verbose`. */
  data?: unknown;
  parentSchema?: {
    description?: string;
    pattern?: string;
    properties?: object;
    examples?: unknown[];
    additionalProperties?: unknown;
  };
}

const NAME_RULE =
  'Names are lower-case letters, digits, dot, underscore and hyphen, 1 to 63 characters, beginning and ending with a ' +
  'letter or digit.';

/** Turns an error of Ajv into the field error that clients get. */
export function describeFinding(finding: Finding): FieldError {
  const { instancePath, keyword, params, data, parentSchema = {} } = finding;
  const unknown = unknownFieldOf(finding);
  if (unknown !== null) {
    const known = Object.keys(parentSchema.properties ?? {});
    return { pointer: instancePath + toPointer([unknown]), detail: describeUnknown(unknown, known) };
  }
  if (keyword === 'required') {
    return { pointer: instancePath + toPointer([String(params.missingProperty)]), detail: 'is required' };
  }
  if (keyword === 'pattern' && parentSchema.pattern === NAME_PATTERN) {
    return { pointer: instancePath, ...refuseName(String(data)) };
  }
  return { pointer: instancePath, detail: describeRule(finding) };
}

/**
 * The field that the schema does not know, if that is what is wrong. Ajv stops at the first error, and looks for missing
 * fields before unknown ones. A required field whose name is misspelt is therefore reported as missing. Here it is the
 * misspelt name that counts, because that is what its sender has to correct.
 */
export function unknownFieldOf({ keyword, params, data, parentSchema = {} }: Finding): string | null {
  if (keyword === 'additionalProperties') return String(params.additionalProperty);
  const { properties = {}, additionalProperties } = parentSchema;
  if (keyword !== 'required' || additionalProperties !== false) return null;
  return Object.keys(data as object).find((name) => !Object.hasOwn(properties, name)) ?? null;
}

/** @returns what is wrong with a value that is no name, the rule, and a name that can be used instead */
export function refuseName(value: string): Pick<FieldError, 'detail' | 'suggestion'> {
  if (value === '') return { detail: `is empty. ${NAME_RULE}` };
  const suggestion = toSlug(value);
  return { detail: `is ${quote(value)}, which is not a name. ${NAME_RULE}${advise(suggestion)}`, suggestion };
}

type Told = Pick<AppError, 'message' | 'extras'>;

/**
 * What a refusal tells, without the suggested name where a key was sent as a name: the suggestion holds the key too, and
 * could not be used without it.
 */
export function withoutSuggestedKeys({ message, extras }: Told, redact: Redact): Told {
  const isKey = ({ suggestion = '' }: FieldError) => redact(suggestion) !== suggestion;
  if (!extras.errors?.some(isKey)) return { message, extras };
  let withoutKeys = message;
  const errors = extras.errors.map((error) => {
    if (!isKey(error)) return error;
    const { pointer, detail, suggestion = '' } = error;
    withoutKeys = withoutKeys.replace(advise(suggestion), '');
    return { pointer, detail: detail.replace(advise(suggestion), '') };
  });
  return { message: withoutKeys, extras: { ...extras, errors } };
}

const advise = (suggestion: string): string => ` Try ${suggestion}.`;

/** @returns what is wrong with a field that is not known, to follow its name */
export function describeUnknown(name: string, known: string[]): string {
  if (known.length === 0) return 'is not a known field. None is taken here.';
  const [closest] = findClosest(name, known, 1);
  const question = closest === undefined ? '' : ` Did you mean ${closest}?`;
  return `is not a known field.${question} Known are: ${known.join(', ')}.`;
}

/** What a value breaks, in words. Ajv's own words presuppose that the reader knows JSON Schema. */
function describeRule({ keyword, params, parentSchema = {}, message = 'is not valid' }: Finding): string {
  const { limit } = params;
  switch (keyword) {
    case 'type':
      return `must be ${[params.type].flat().map(describeType).join(' or ')}`;
    case 'enum':
      return `must be one of: ${(params.allowedValues as unknown[]).join(', ')}`;
    case 'minimum':
      return `must be ${limit} or more`;
    case 'maximum':
      return `must be ${limit} or less`;
    case 'minLength':
      return limit === 1 ? 'must not be empty' : `must have ${limit} characters or more`;
    case 'maxLength':
      return `must have ${limit} characters or fewer`;
    case 'minItems':
      return limit === 1 ? 'must not be empty' : `must have ${limit} items or more`;
    case 'maxItems':
      return `must have ${limit} items or fewer`;
    case 'multipleOf':
      return `must be a multiple of ${params.multipleOf}`;
    case 'uniqueItems':
      return `has the same item twice, as items ${params.j} and ${params.i} (the first is item 0)`;
    case 'pattern':
    case 'format':
      return `is not of the form that it needs. ${describeForm(parentSchema)}`.trim();
    default:
      return message;
  }
}

const describeForm = ({ description, examples = [] }: NonNullable<Finding['parentSchema']>): string =>
  [description, examples.length > 0 && `An example: ${examples[0]}`].filter(Boolean).join(' ');

const TYPES: { [type: string]: string } = {
  string: 'a string',
  integer: 'an integer',
  number: 'a number',
  boolean: 'true or false (a boolean)',
  object: 'an object',
  array: 'a list (an array)',
  null: 'null',
};
const describeType = (type: unknown): string => TYPES[String(type)] ?? String(type);
