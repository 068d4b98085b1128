import type { components } from '../../generated/contract.js';

type Problem = components['schemas']['Problem'];

/** A refusal as a person at the screen reads it: what stands in the way, and what to do about it on this page. */
export function wordRefusal(problem: Problem): string {
  return [messageOf(problem), nextStepOf(problem)].filter(Boolean).join(' ');
}

type Text = string | ((problem: Problem) => string);

function textOf(text: Text | undefined, problem: Problem): string {
  return typeof text === 'function' ? text(problem) : (text ?? '');
}

/** What the service says, without its advice to callers of REST. */
function messageOf(problem: Problem): string {
  const { code, detail, nextStep } = problem;
  const own = textOf(MESSAGES[code], problem);
  if (own !== '') return own;
  return nextStep !== undefined && detail.endsWith(nextStep) ? detail.slice(0, -nextStep.length).trim() : detail;
}

const nextStepOf = (problem: Problem) => textOf(NEXT_STEPS[problem.code], problem);

/** Where the service names ids, methods or headers, which say nothing to a person. */
const MESSAGES: { [Code in Problem['code']]?: Text } = {
  'validation-failed': ({ errors, detail }) => (errors ? 'Something of what was entered cannot be used.' : detail),
  unauthorized: '',
  'port-taken': ({ holder }) => (holder ? `The number is taken: ${describeHolder(holder)}.` : ''),
  'idempotency-key-reused': 'This form was sent before with other content.',
  'webhook-disabled': 'The webhook is switched off, so that nothing is sent to it.',
  'project-busy': 'Many changes of this project are made at the same time.',
  overloaded: 'The registry has more to do than it can.',
  'database-unavailable': 'The registry does not reach its database.',
  'internal-error': 'The registry has failed.',
};

function describeHolder({ kind, project, service, environment }: NonNullable<Problem['holder']>): string {
  const who = `${project}/${service ?? '…'}${environment && environment !== 'default' ? `, environment ${environment}` : ''}`;
  if (kind === 'allocation') return `${who} holds it`;
  return kind === 'reservation' ? `it is reserved for ${who}` : `it cools down for ${who}`;
}

const RELOAD = 'This page may be older than the service: load it again.';
const GONE = 'Somebody else was faster. The page shows what there is now.';
const AGAIN = 'Nothing was changed. Try again in a moment.';
const UNKNOWN_OUTCOME = 'Look whether the change was made before you try again.';

/** What can be done about it on this page. Empty where the message says enough, or where nothing can be done here. */
const NEXT_STEPS: Record<Problem['code'], Text> = {
  'validation-failed': ({ suggestion }) => (suggestion === undefined ? '' : `Use ${suggestion}, for example.`),
  unauthorized: 'Whoever runs the registry can make a key.',
  forbidden: 'Ask whoever runs the registry for a key that may do it.',
  'not-found': RELOAD,
  'project-not-found': ({ suggestions = [] }) =>
    suggestions.length > 0 ? `Did you mean ${suggestions.join(' or ')}?` : 'Create it first, with “New project”.',
  'range-not-found': GONE,
  'excluded-port-not-found': GONE,
  'allocation-not-found': GONE,
  'reservation-not-found': GONE,
  'audit-not-found': 'It was deleted for its age. Run a new one.',
  'api-key-not-found': GONE,
  'webhook-not-found': GONE,
  'delivery-not-found': 'It was deleted for its age.',
  'method-not-allowed': RELOAD,
  'not-acceptable': RELOAD,
  'payload-too-large': 'Send less at a time.',
  'unsupported-media-type': RELOAD,
  'port-taken': 'Take another number, or leave it open to get the lowest free one.',
  'environment-elsewhere': 'Name another environment, or release that one if its folder is gone.',
  'range-exhausted': 'Release what is no longer needed, or give the project another range.',
  'range-overlap': 'Leave the start port open to get the lowest free block.',
  'no-free-block': 'Delete a range that nobody uses.',
  'range-in-use': 'Release what is in it first.',
  'limit-reached': 'Release what is no longer needed, or have the limit raised.',
  'webhook-disabled': 'Switch it on first.',
  'allocation-released': GONE,
  'reservation-ended': GONE,
  'dotenv-name-conflict':
    'Choose a project, an environment and a host in which each of these names stands once, or take another format.',
  'cloudflare-not-configured': 'Under “Cloudflare” it says how.',
  'reservation-expired': 'Reserve the port again, if it is still free.',
  'events-expired': 'Begin with a later time.',
  'port-outside-range': 'Take one of those, or leave it open to get the lowest free one.',
  'idempotency-key-reused': 'Close it, and begin again.',
  'destination-not-allowed': '',
  'not-probeable': '',
  'too-many-requests': 'Wait a moment, and try again.',
  'internal-error': ({ requestId }) => `Its log has the cause, under request ${requestId}. ${UNKNOWN_OUTCOME}`,
  'cloudflare-unavailable': 'What was changed before stays. Try again as soon as the cause is gone.',
  'database-unavailable': UNKNOWN_OUTCOME,
  overloaded: UNKNOWN_OUTCOME,
  'project-busy': AGAIN,
};
