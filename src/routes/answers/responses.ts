import type { TSchema } from '@sinclair/typebox';
import { type ProblemCode, problems } from '../../errors.js';
import { Problem } from '../../schemas/problem.js';

/** Refusals that any operation may answer with. */
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
/** Refusals that the health endpoints never answer with, because they need no key. */
const NOT_OPEN: ProblemCode[] = ['unauthorized'];
/** Refusals that an operation never answers with that is exempt from the rate limit. */
const NOT_EXEMPT: ProblemCode[] = ['too-many-requests'];
/** Refusals that an operation with a request body may answer with besides. */
const WITH_BODY: ProblemCode[] = ['payload-too-large', 'unsupported-media-type'];
/** Refusals that an operation may answer with besides if it waits for a project's lock. */
export const LOCKING: ProblemCode[] = ['project-busy'];
/** Refusals that an operation may answer with besides if it allocates ports, and creates the project on demand. */
export const ALLOCATING: ProblemCode[] = [
  ...LOCKING,
  'project-not-found',
  'no-free-block',
  'range-exhausted',
  'limit-reached',
];

/**
 * Describes an operation's refusals for its `response` schema, one entry for each status.
 * @param options `body`: it takes a request body; `open`: it is a health endpoint, which needs no key; `exempt`: no limit
 * applies to it
 */
export function refusals(options: { body?: boolean; open?: boolean; exempt?: boolean }, ...codes: ProblemCode[]) {
  const all = [
    ...COMMON.filter(
      (code) => !(options.open && NOT_OPEN.includes(code)) && !(options.exempt && NOT_EXEMPT.includes(code)),
    ),
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
        ...((status === 429 || status === 502 || status === 503) && { headers: RETRY_AFTER }),
        ...(status === 401 && {
          headers: { 'WWW-Authenticate': { type: 'string', description: '`Bearer` (RFC 6750).' } },
        }),
      },
    ]),
  );
}

/** Describes a JSON answer, by reference to its named component. */
export function answer<T extends TSchema>(schema: T, description: string, headers?: Record<string, object>) {
  return {
    description,
    content: { 'application/json': { schema: { $ref: schema.$id } } },
    ...(headers && { headers }),
  };
}

/** Describes an answer that is JSON, or with `Accept: text/plain` the port number alone. */
export function answerOrPort<T extends TSchema>(schema: T, description: string) {
  return answerOr('text/plain', schema, `${description} With \`Accept: text/plain\` the port number alone.`, '3100');
}

/** Describes an answer that is JSON, or with `Accept: text/plain` the lines of a dotenv file. */
export function answerOrDotenv<T extends TSchema>(schema: T, description: string) {
  const both = `${description} With \`Accept: text/plain\` the lines of a dotenv file.`;
  return answerOr('text/plain', schema, both, 'WEB_PORT=3100\n');
}

/** Describes an answer that is JSON, or with `Accept: text/event-stream` a stream of events. */
export function answerOrEvents<T extends TSchema>(
  schema: T,
  description: string,
  example: string,
  headers?: Record<string, object>,
) {
  const both = `${description} With \`Accept: text/event-stream\` as server-sent events.`;
  return { ...answerOr('text/event-stream', schema, both, example), ...(headers && { headers }) };
}

/**
 * Describes an answer that has another media type if the `Accept` header asks for that one. Only JSON is declared as the
 * answer's content: if both were, SDK generators would give the answer the type `Allocation | string`, of which no
 * program could read `port`, although a request without that header always gets JSON. Programs that read the contract
 * find the other media type in `x-alternatives`.
 */
function answerOr(mediaType: string, schema: TSchema, description: string, example: string) {
  const alternatives = { [mediaType]: { schema: { type: 'string' }, example } };
  return {
    description,
    content: { 'application/json': { schema: { $ref: schema.$id }, 'x-alternatives': alternatives } },
  };
}

export const RETRY_AFTER = { 'Retry-After': { type: 'integer', description: 'Seconds.' } };
export const LOCATION = { Location: { type: 'string', description: 'The path of what was created.' } };
export const LINK = { Link: { type: 'string', description: 'The next page, with `rel="next"` (RFC 8288).' } };
