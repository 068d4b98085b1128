import type { NextSteps } from '../errors.js';
import type { Problem } from './failure.js';

const AGAIN = 'Nothing was changed. Try again in a moment.';

type Step = string | ((known: Problem) => string);

/** What a person can do after each refusal: which command to call. It is empty where the message says it already. */
const nextSteps: NextSteps<Problem> & Record<string, Step> = {
  'validation-failed': ({ suggestion }) => (suggestion === undefined ? '' : `Use ${suggestion}, for example.`),
  unauthorized: 'Set PORT_ALLOCATOR_API_KEY to a key of this registry. Whoever runs it can make one.',
  forbidden: 'Ask whoever runs the registry for a key that may do that, and set PORT_ALLOCATOR_API_KEY to it.',
  'not-found': 'The service may be older than this command: port-allocator status shows its version.',
  'project-not-found': ({ suggestions = [] }) =>
    suggestions.length > 0
      ? `Did you mean ${suggestions.join(' or ')}? Name it with --project.`
      : 'port-allocator ls --all shows the projects that have ports; port-allocator port creates a project.',
  'range-not-found': 'port-allocator who PORT tells which range covers a port.',
  'excluded-port-not-found': 'port-allocator who PORT tells whether a port is excluded.',
  'allocation-not-found': 'port-allocator ls shows what is held; port-allocator port SERVICE gets a port.',
  'reservation-not-found': 'port-allocator reserve makes a new one.',
  'audit-not-found': 'port-allocator audit makes a new one.',
  'cloudflare-not-configured': '',
  'cloudflare-unavailable': 'port-allocator cloudflare status tells when the next attempt is made.',
  'api-key-not-found': '',
  'method-not-allowed': 'The service may be older than this command: port-allocator status shows its version.',
  'not-acceptable': 'The service may be older than this command: port-allocator status shows its version.',
  'payload-too-large': 'Send less.',
  'unsupported-media-type': 'The service may be older than this command: port-allocator status shows its version.',
  'port-taken': ({ holder }) =>
    holder === undefined ? '' : 'Leave the port out to get the lowest free one, or have its holder give it up.',
  'environment-elsewhere': 'Name another environment with --environment, or release that one if its folder is gone.',
  'range-exhausted':
    'Release a port that is no longer needed: port-allocator ls shows them, port-allocator release frees one, and ' +
    'port-allocator gc finds environments that nobody uses. Or give the project another range: docs/command.md.',
  'range-overlap': 'Leave the start port out to get the lowest free block.',
  'no-free-block': 'Ask whoever runs the registry to delete a range that nobody uses.',
  'range-in-use': 'port-allocator ls shows what is held, and port-allocator release frees it.',
  'limit-reached': 'Release what is no longer needed (port-allocator gc finds it), or have the limit raised.',
  'webhook-not-found': '',
  'delivery-not-found': '',
  'webhook-disabled': '',
  'destination-not-allowed': '',
  'allocation-released': 'port-allocator port SERVICE gets a port again.',
  'reservation-ended': 'port-allocator reserve makes a new one.',
  'dotenv-name-conflict': 'Rename one of the services, or take the JSON: port-allocator env --format json.',
  'reservation-expired': 'port-allocator reserve makes a new one.',
  'events-expired': 'port-allocator ls shows what is held now.',
  'port-outside-range': 'Ask for one of those, or leave the port out.',
  'idempotency-key-reused': 'Call the command again.',
  'not-probeable': '',
  'too-many-requests': 'Wait a minute, and call the command again.',
  'internal-error': ({ requestId }) => `The log of the service has the cause, under request ${requestId}.`,
  'database-unavailable': 'port-allocator ls shows whether the change was made. Then call the command again.',
  overloaded: 'port-allocator ls shows whether the change was made. Then call the command again.',
  'project-busy': AGAIN,
};

/** @returns an empty text for a code that this client does not know, because the service is newer */
export function nextStepFor(problem: Problem): string {
  const step: Step = (nextSteps as Record<string, Step>)[problem.code] ?? '';
  return typeof step === 'function' ? step(problem) : step;
}
