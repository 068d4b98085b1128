/*
 * What the registry refuses is made by the functions of `refusals.ts` and `allocator/port-refusals.ts`, what a transport
 * refuses by itself (REST in `plugins/`, MCP in `mcp/`) is made in that transport's own files, and what an error of the
 * database means is told by `database/errors.ts` alone. `test/refusal-makers.test.ts` holds the code to this.
 */

/**
 * The closed set of refusals, independent of transport. REST turns them into RFC 9457 problem
 * documents, MCP into tool errors. Prefer an existing code to a new one: clients match on them.
 */
export const problems = {
  'validation-failed': { status: 400, title: 'The request is not valid' },
  unauthorized: { status: 401, title: 'Credentials are missing or wrong' },
  forbidden: { status: 403, title: 'Not allowed' },
  'not-found': { status: 404, title: 'No such path' },
  'project-not-found': { status: 404, title: 'No such project' },
  'range-not-found': { status: 404, title: 'No such range' },
  'excluded-port-not-found': { status: 404, title: 'The port is not excluded' },
  'allocation-not-found': { status: 404, title: 'No such allocation' },
  'reservation-not-found': { status: 404, title: 'No such reservation' },
  'audit-not-found': { status: 404, title: 'No such audit' },
  'api-key-not-found': { status: 404, title: 'No such key' },
  'webhook-not-found': { status: 404, title: 'There is no such webhook' },
  'delivery-not-found': { status: 404, title: 'There is no such delivery' },
  'method-not-allowed': { status: 405, title: 'Method not allowed' },
  'not-acceptable': { status: 406, title: 'No acceptable representation' },
  'payload-too-large': { status: 413, title: 'The body is too large' },
  'unsupported-media-type': { status: 415, title: 'Unsupported media type' },
  'port-taken': { status: 409, title: 'The port is taken' },
  'environment-elsewhere': { status: 409, title: 'The environment lives in another folder' },
  'range-exhausted': { status: 409, title: 'No free port is left' },
  'range-overlap': { status: 409, title: 'The range would overlap another' },
  'no-free-block': { status: 409, title: 'No free block is left' },
  'range-in-use': { status: 409, title: 'The range is in use' },
  'limit-reached': { status: 409, title: 'A limit is reached' },
  'webhook-disabled': { status: 409, title: 'The webhook is switched off' },
  'allocation-released': { status: 409, title: 'The allocation was released' },
  'reservation-ended': { status: 409, title: 'The reservation has ended' },
  'dotenv-name-conflict': { status: 409, title: 'The services make no usable variable names' },
  'cloudflare-not-configured': { status: 409, title: 'No Cloudflare tunnel is configured' },
  'reservation-expired': { status: 410, title: 'The reservation has expired' },
  'events-expired': { status: 410, title: 'The events were deleted' },
  'port-outside-range': { status: 422, title: "The port is outside the project's ranges" },
  'idempotency-key-reused': { status: 422, title: 'The Idempotency-Key was used for another request' },
  'destination-not-allowed': { status: 422, title: 'Nothing may be sent there' },
  'not-probeable': { status: 422, title: 'The port cannot be probed' },
  'too-many-requests': { status: 429, title: 'Too many requests' },
  'internal-error': { status: 500, title: 'Internal error' },
  'cloudflare-unavailable': { status: 502, title: 'Cloudflare did not do what was asked' },
  'database-unavailable': { status: 503, title: 'The database is not available' },
  overloaded: { status: 503, title: 'The service is overloaded' },
  'project-busy': { status: 503, title: 'The project is busy' },
} as const satisfies Record<string, { status: number; title: string }>;

export type ProblemCode = keyof typeof problems;

export interface FieldError {
  /** JSON pointer into the body, or `/query/<name>`, `/path/<name>`, `/headers/<name>`. */
  pointer: string;
  detail: string;
  /** Only of a name that is refused for its form: a name that can be used instead. */
  suggestion?: string;
}

/** Who stands in the way of a port, as far as the caller may know. */
export interface Holder {
  kind: 'allocation' | 'reservation' | 'cooling';
  id: string | null;
  project: string;
  service: string | null;
  environment: string | null;
}

/** What a next step has to name or to go by. Facts are never a field of an answer. */
export interface Facts {
  project?: string;
  service?: string;
  port?: number;
  startPort?: number;
  /** How many allocations and reservations stand in the way. */
  taken?: { allocated: number; reserved: number };
  /** A key was sent with the request, and is not valid. */
  isKeyWrong?: boolean;
  /** Services of several projects, environments, hosts or protocols were asked for at once. */
  areInSeveralPlaces?: boolean;
  /** Which limit the project has reached. */
  limit?: 'hosts' | 'environments' | 'reservations' | 'idempotencyKeys';
  /** Whether the change was made is not known. */
  isOutcomeUnknown?: boolean;
  /** Nothing was changed, and the same happens again until somebody does what the message says. */
  needsOperator?: boolean;
}

export interface ProblemExtras extends Facts {
  errors?: FieldError[];
  /** Names of projects that are similar to the one that is not there, and that the caller may see. */
  suggestions?: string[];
  holder?: Holder;
  /** The folder that is on record for the environment. */
  path?: string;
  /** When a port of the project comes free by itself (RFC 3339). */
  nextPortAvailableAt?: string | null;
  /** Seconds after which a retry makes sense; sent as `Retry-After`. */
  retryAfter?: number;
  /** Methods the path has; sent as `Allow`. */
  allow?: string[];
}

/**
 * A refusal. Its message is for the client, its cause for the log alone. The message says what stands in the way, and
 * gives advice only if that is true for every transport. How a client goes on is told by its transport's `NextSteps`.
 */
export class AppError extends Error {
  override readonly name = 'AppError';

  constructor(
    readonly code: ProblemCode,
    /** Names no method, path, header or tool, unless only one transport makes this refusal. */
    message: string,
    readonly extras: ProblemExtras = {},
    options?: ErrorOptions,
  ) {
    super(message, options);
  }

  get status(): number {
    return problems[this.code].status;
  }
}

/**
 * How the clients of one transport go on after each refusal, in that transport's words: a sentence, or a function that
 * makes it from what is known of the refusal. '' where the message says enough.
 */
export type NextSteps<Known = ProblemExtras> = Record<ProblemCode, string | ((known: Known) => string)>;

export function nextStepOf<Known>(steps: NextSteps<Known>, code: ProblemCode, known: Known): string {
  const step = steps[code];
  return typeof step === 'function' ? step(known) : step;
}

/** Why a process cannot start or do its work. The message is for its user: what is wrong and what to do about it. */
export class StartError extends Error {
  override readonly name: string = 'StartError';
}

/** An operator's command that changed nothing; its message says why and what to do. */
export class CommandRefused extends StartError {
  override readonly name = 'CommandRefused';
}

/** The service that has the data folder cannot be reached, or does not do what it was asked. */
export class UnreachableError extends StartError {
  override readonly name = 'UnreachableError';
}

/** 400 about one field. @param predicate what is wrong with it, to follow its name */
export function invalidField(pointer: string, predicate: string): AppError {
  const errors = [{ pointer, detail: predicate }];
  return new AppError('validation-failed', `${pointer || 'The body'} ${predicate}`, { errors });
}

/** 400 about one field, in a whole sentence. */
export function invalid(pointer: string, detail: string): AppError {
  return new AppError('validation-failed', detail, { errors: [{ pointer, detail }] });
}
