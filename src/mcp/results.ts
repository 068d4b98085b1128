import type { CallToolResult } from '@modelcontextprotocol/server';
import { toAppError } from '../database/errors.js';
import { AppError, type ProblemCode } from '../errors.js';

export interface ToolLog {
  info(data: object, message: string): void;
  error(data: object, message: string): void;
  warn(data: object, message: string): void;
}

/** The answer twice: for programs, and as text for clients that show nothing else. */
export function succeed(answer: Record<string, unknown>): CallToolResult {
  return { content: [{ type: 'text', text: JSON.stringify(answer) }], structuredContent: answer };
}

/** What went wrong for a model to act on: the code, what stands in the way, and the next step. */
export function refuse(error: unknown, requestId: string, log: ToolLog): CallToolResult {
  const refusal = toRefusal(error);
  const { code, status, extras, message } = refusal;
  const logged = { err: refusal.cause ?? refusal, code, requestId };
  if (status === 500) log.error(logged, 'Unexpected error');
  else if (status === 503) log.warn(logged, 'Not served');
  const seconds = extras.retryAfter ?? 1;
  const next = NEXT_STEPS[code].replace('{seconds}', `${seconds} s`).replace('{requestId}', requestId);
  return { content: [{ type: 'text', text: `${code}: ${withoutRest(message)}\nNext: ${next}` }], isError: true };
}

export function toRefusal(error: unknown): AppError {
  if (error instanceof AppError) return error;
  return (
    toAppError(error) ?? new AppError('internal-error', 'Something went wrong in the service.', {}, { cause: error })
  );
}

/** Repositories speak to REST's clients; the sentences that send one to a path would lead an agent astray. */
function withoutRest(message: string): string {
  const sentences = message.split(/(?<=\.) (?=[A-Z])/);
  const fit = sentences.filter((sentence) => !/\b(GET|PUT|POST|PATCH|DELETE|Idempotency-Key)\b/.test(sentence));
  return fit.length > 0 ? fit.join(' ') : message;
}

const REPEAT = 'call the tool again after {seconds}; nothing was changed.';

/** What an agent does about each refusal, in terms of tools. */
const NEXT_STEPS: Record<ProblemCode, string> = {
  'validation-failed': 'correct what is named and call again; the input schema of the tool has the rules.',
  unauthorized:
    'ask the user for an API key of this registry: in PORT_ALLOCATOR_API_KEY, or as a bearer token over HTTP.',
  forbidden: 'ask the user: this caller may not do that.',
  'not-found': 'list the tools again; the service that answers may be older or newer than this client knew.',
  'project-not-found': 'look for the right name with list-ranges, or give the project a range with create-range.',
  'range-not-found': 'list-ranges shows the ranges, describe-port the one that covers a number.',
  'allocation-not-found': 'list-ports shows what is held; get-port allocates.',
  'reservation-not-found': 'reserve-port makes a new one; ended ones are forgotten after 7 days.',
  'api-key-not-found': 'ask the user: keys are for the administrators of the registry.',
  'reservation-ended': 'reserve-port makes a new one.',
  'reservation-expired': 'its port may be another’s by now: reserve-port makes a new one, get-port allocates at once.',
  'dotenv-name-conflict': 'rename one of the services that are named.',
  'not-probeable': 'leave `host` out, or ask the user to add it to PROBE_ALLOWED_HOSTS.',
  'method-not-allowed': 'call one of the tools that are listed.',
  'not-acceptable': 'call the tool with a client that accepts JSON.',
  'payload-too-large': 'send less: metadata may have 16 KiB.',
  'unsupported-media-type': 'send JSON.',
  'port-taken':
    'leave `port` out to get the lowest free one, or ask for another; describe-port tells who has a number.',
  'range-exhausted':
    'release a port that is no longer needed (list-ports shows them, release-port frees one), or give the project ' +
    'another range with create-range.',
  'range-overlap': 'leave `startPort` out to get the lowest free block, or choose another; list-ranges shows them.',
  'no-free-block': 'ask the user to delete a range that nobody uses; list-ranges shows how full each is.',
  'range-in-use': 'release what it holds first: list-ports shows it.',
  'allocation-released': 'call get-port to allocate for the service again, and describe that.',
  'port-outside-range': 'leave `port` out, or ask for one of these ranges.',
  'idempotency-key-reused': 'call the tool again.',
  'too-many-requests': 'call the tool again after {seconds}.',
  'internal-error': 'tell the user; the log has the cause under request {requestId}.',
  'database-unavailable':
    'wait {seconds}, then look with list-ports whether the change was made before you repeat a call that is not ' +
    'idempotent; the other calls can just be repeated.',
  overloaded: REPEAT,
  'project-busy': REPEAT,
};
