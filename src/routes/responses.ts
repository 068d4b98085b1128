import type { TSchema } from '@sinclair/typebox';
import { type ProblemCode, problems } from '../errors.js';
import { Problem } from '../schemas/problem.js';

/** Refusals that any operation may answer with, whatever it does. */
const COMMON: ProblemCode[] = [
  'validation-failed',
  'unauthorized',
  'forbidden',
  'not-acceptable',
  'too-many-requests',
  'internal-error',
  'database-unavailable',
  'overloaded',
];
/** Health checks need no key, and are never counted. */
const FOR_CALLERS: ProblemCode[] = ['unauthorized', 'too-many-requests'];
/** And those that a body brings with it. */
const WITH_BODY: ProblemCode[] = ['payload-too-large', 'unsupported-media-type'];
/** And those of every operation that waits for a project's lock. */
export const LOCKING: ProblemCode[] = ['project-busy'];

/** The refusals of an operation for its `response` schema, one entry a status. */
export function refusals(options: { body?: boolean; open?: boolean }, ...codes: ProblemCode[]) {
  const all = [
    ...COMMON.filter((code) => !options.open || !FOR_CALLERS.includes(code)),
    ...(options.body ? WITH_BODY : []),
    ...codes,
  ];
  const statuses = [...new Set(all.map((code) => problems[code].status))].sort();
  return Object.fromEntries(
    statuses.map((status) => [
      status,
      {
        description: all
          .filter((code) => problems[code].status === status)
          .map((code) => `\`${code}\``)
          .join(', '),
        content: { 'application/problem+json': { schema: { $ref: Problem.$id } } },
        ...((status === 429 || status === 503) && {
          headers: { 'Retry-After': { type: 'integer', description: 'Seconds.' } },
        }),
        ...(status === 401 && {
          headers: { 'WWW-Authenticate': { type: 'string', description: '`Bearer` (RFC 6750).' } },
        }),
      },
    ]),
  );
}

/** A JSON answer by the name of its component. */
export function answer<T extends TSchema>(schema: T, description: string, headers?: Record<string, object>) {
  return {
    description,
    content: { 'application/json': { schema: { $ref: schema.$id } } },
    ...(headers && { headers }),
  };
}

/** The same, or with `Accept: text/plain` the bare number. */
export function answerOrPort<T extends TSchema>(schema: T, description: string) {
  return answerOrText(schema, description, { description: 'The port alone.', examples: ['3100'] });
}

/** The same, or with `Accept: text/plain` the lines of a dotenv file. */
export function answerOrDotenv<T extends TSchema>(schema: T, description: string) {
  return answerOrText(schema, description, { description: 'Dotenv lines.', examples: ['WEB_PORT=3100\n'] });
}

function answerOrText(schema: TSchema, description: string, text: object) {
  return {
    description,
    content: {
      'application/json': { schema: { $ref: schema.$id } },
      'text/plain': { schema: { type: 'string', ...text } },
    },
  };
}

/** The same, or with `Accept: text/event-stream` events on the way to it. */
export function answerOrEvents<T extends TSchema>(schema: T, description: string) {
  return {
    description,
    content: {
      'application/json': { schema: { $ref: schema.$id } },
      'text/event-stream': { schema: { type: 'string', description: 'Server-sent events.' } },
    },
  };
}

export const LOCATION = { Location: { type: 'string', description: 'The path of what was created.' } };
export const LINK = { Link: { type: 'string', description: 'The next page, with `rel="next"` (RFC 8288).' } };
