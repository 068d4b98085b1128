const string = { type: 'string' };
const object = (properties, others) => ({ type: 'object', properties, ...others });

const AJV = 'Ajv, strict';
const AGENTS = '@openai/agents';
const GENAI = '@google/genai, parameters';
const AI_SDK_3 = '@ai-sdk/google 3';
const AI_SDK_OPENAI = '@ai-sdk/openai';

/**
 * Schemas that not every client takes, and the checks that have to notice it. The first one is taken by all. The
 * inspector alone warns of a list of types.
 */
export const planted = {
  plain: {
    schema: object({ name: { ...string, description: 'A name.' }, kinds: { type: 'array', items: string } }),
    noticed: [],
  },
  'list-of-types': { schema: object({ name: { type: ['string', 'null'] } }), noticed: [] },
  format: { schema: object({ id: { ...string, format: 'uuid' } }), noticed: [AJV, GENAI, AI_SDK_3] },
  pattern: { schema: object({ name: { ...string, pattern: '^(?=a)' } }), noticed: [AI_SDK_3, AI_SDK_OPENAI] },
  bound: { schema: object({ port: { type: 'integer', minimum: 1 } }), noticed: [AI_SDK_3] },
  default: { schema: object({ limit: { type: 'integer', default: 25 } }), noticed: [AI_SDK_3] },
  const: { schema: object({ kind: { const: 'a' } }), noticed: [GENAI, AI_SDK_3] },
  'enum-of-numbers': { schema: object({ port: { type: 'integer', enum: [1, 2] } }), noticed: [GENAI, AI_SDK_3] },
  'any-value': { schema: object({ value: true }), noticed: [GENAI, AI_SDK_3] },
  closed: { schema: object({ name: string }, { additionalProperties: false }), noticed: [] },
  'open-object': { schema: object({ metadata: { type: 'object' } }), noticed: [AGENTS] },
  'fields-of-any-name': {
    schema: object({ metadata: { type: 'object', additionalProperties: string } }),
    noticed: [AGENTS, GENAI, AI_SDK_3],
  },
  'any-of': {
    schema: object({ id: string, name: string }, { anyOf: [{ required: ['id'] }, { required: ['name'] }] }),
    noticed: [AGENTS, GENAI],
  },
  reference: {
    schema: object({ name: { $ref: '#/$defs/name' } }, { $defs: { name: string } }),
    noticed: [GENAI, AI_SDK_3],
  },
  'property-names': {
    schema: object({ name: string }, { propertyNames: { maxLength: 9 } }),
    noticed: [AGENTS, GENAI, AI_SDK_3, AI_SDK_OPENAI],
  },
};
