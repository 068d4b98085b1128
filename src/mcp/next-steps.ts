import type { NextSteps, ProblemExtras } from '../errors.js';

/** The facts of a refusal, and the id under which the call is in the log. */
export type RefusedCall = ProblemExtras & { requestId: string };

const waitOf = ({ retryAfter = 1 }: ProblemExtras): string => `${retryAfter} s`;
const lookThenRepeat = (known: ProblemExtras): string =>
  `wait ${waitOf(known)}, then look with list-ports whether the change was made before you repeat a call that is ` +
  'not idempotent; the other calls can just be repeated.';
const repeat = (known: ProblemExtras): string => `call the tool again after ${waitOf(known)}; nothing was changed.`;
const lookOrRepeat = (known: ProblemExtras): string => (known.isOutcomeUnknown ? lookThenRepeat(known) : repeat(known));

/** Of a tool that most agents do not see. */
const WITH_ALL = 'which agents see if MCP_TOOLS is all';

/** No tool has to do with them. */
const WEBHOOKS = 'ask the user: webhooks are managed outside of these tools.';

/**
 * What an agent can do after each refusal: which tool to call, or what to ask the user. A tool that is not one of the
 * core tools is named only together with what shows it.
 */
export const nextSteps: NextSteps<RefusedCall> = {
  'validation-failed': 'correct what is named and call again.',
  unauthorized:
    'ask the user for an API key of this registry: in PORT_ALLOCATOR_API_KEY, or as a bearer token over HTTP.',
  forbidden: ({ suggestions }) =>
    `${suggestions ? 'give the project that you mean, or ' : ''}ask the user for an API key that may do that, in ` +
    'PORT_ALLOCATOR_API_KEY or as a bearer token over HTTP; with this one it is refused again.',
  'not-found': 'list the tools again; the service that answers may be older or newer than this client knew.',
  'project-not-found':
    'give the name that is meant, or your working folder as cwd. If the project is new, get-port and ' +
    'get-environment-ports create it: with cwd, or with createProject true.',
  'range-not-found': 'describe-port tells which range covers a number.',
  'excluded-port-not-found': 'describe-port tells whether a port is excluded.',
  'allocation-not-found': 'list-ports shows what is held; get-port allocates.',
  'reservation-not-found': 'reserve-port makes a new one.',
  'audit-not-found': 'audit-ports makes a new one.',
  'cloudflare-not-configured': 'ask the user: the tunnel is for the administrators of the registry.',
  'cloudflare-unavailable': 'ask the user: the tunnel is for the administrators of the registry.',
  'api-key-not-found': 'ask the user: keys are for the administrators of the registry.',
  'webhook-not-found': WEBHOOKS,
  'delivery-not-found': WEBHOOKS,
  'method-not-allowed': 'call one of the tools that are listed.',
  'not-acceptable': 'call the tool with a client that accepts JSON.',
  'payload-too-large': 'send less: metadata may have 16 KiB.',
  'unsupported-media-type': 'send JSON.',
  'port-taken': ({ holder }) =>
    holder?.kind === 'reservation' && holder.id !== null
      ? `if that reservation is yours, call allocate-port with reservationId ${holder.id}; else leave \`port\` out to ` +
        'get the lowest free one.'
      : 'leave `port` out to get the lowest free one, or ask for another.',
  'environment-elsewhere': 'give the environment of this folder another name.',
  'range-exhausted':
    'release what is no longer needed (list-ports shows it; release-port and release-environment free it), or ask the ' +
    `user for another range: create-range makes one, ${WITH_ALL}.`,
  'range-overlap': 'leave `startPort` out to get the lowest free block, or choose another.',
  'no-free-block': 'ask the user to delete a range that nobody uses; port-summary shows how full a project is.',
  'range-in-use': ({ taken }) =>
    [
      taken?.allocated !== 0 && 'release the allocations with release-port: list-ports shows them.',
      taken?.reserved !== 0 &&
        'wait until the reservations expire: describe-port shows when. Or cancel them with cancel-reservation, ' +
          `${WITH_ALL}.`,
    ]
      .filter(Boolean)
      .join(' '),
  'limit-reached': ({ limit }) =>
    limit === 'hosts' || limit === 'environments'
      ? 'release what is no longer needed (list-ports shows it; release-port and release-environment free it), or ask the ' +
        'user to raise the limit.'
      : 'ask the user: nothing was changed, and calling again does not help soon.',
  'webhook-disabled': WEBHOOKS,
  'allocation-released': 'call get-port to allocate for the service again, and describe that.',
  'reservation-ended': 'reserve-port makes a new one.',
  'dotenv-name-conflict': 'rename one of the services that are named.',
  'reservation-expired':
    'its port may belong to another service by now: reserve-port makes a new one, get-port allocates at once.',
  'events-expired': 'list-ports shows what is held now.',
  'port-outside-range': 'leave `port` out, or ask for one of these ranges.',
  'idempotency-key-reused': 'call the tool again.',
  'destination-not-allowed': WEBHOOKS,
  'not-probeable': ({ port }) =>
    port === undefined
      ? 'leave `host` out, or ask the user to add it to PROBE_ALLOWED_HOSTS.'
      : `describe-port tells who has ${port} now.`,
  'too-many-requests': (known) => `call the tool again after ${waitOf(known)}.`,
  'internal-error': ({ requestId }) => `tell the user; the log has the cause under request ${requestId}.`,
  'database-unavailable': (known) =>
    known.needsOperator
      ? 'ask the user to do what is said here, and call the tool again after that; nothing was changed.'
      : lookOrRepeat(known),
  overloaded: lookOrRepeat,
  'project-busy': repeat,
};
