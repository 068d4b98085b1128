import type { NextSteps } from '../errors.js';

const REPEAT_WITH_CARE =
  'Repeat what is idempotent (PUT, DELETE by id, POST with Idempotency-Key), and look before you repeat anything else.';

/**
 * What a client of REST can do after each refusal, by method and path. It is added to the refusal's message. It is
 * empty where the message already says it, as in all refusals that only REST has.
 */
export const nextSteps: NextSteps = {
  'validation-failed': '',
  unauthorized: ({ isKeyWrong }) => (isKeyWrong ? '' : 'Send Authorization: Bearer <key>.'),
  forbidden: '',
  'not-found': '',
  'project-not-found':
    'GET /v1/projects lists those that have; PUT /v1/projects/{project} gives it one, and so does createProject=true ' +
    'with a PUT or POST that allocates.',
  'range-not-found': ({ startPort }) =>
    `GET /v1/ranges lists them; GET /v1/ports/${startPort ?? '{port}'} tells which one covers this port.`,
  'excluded-port-not-found': 'GET /v1/excluded-ports lists those that are.',
  'allocation-not-found': ({ service }) =>
    service === undefined ? 'GET /v1/allocations lists them.' : 'PUT the same path to get one.',
  'reservation-not-found': 'GET /v1/reservations lists them.',
  'audit-not-found': 'GET /v1/audits lists them.',
  'api-key-not-found': 'GET /v1/api-keys lists them.',
  'webhook-not-found': 'GET /v1/webhooks lists them.',
  'delivery-not-found': 'GET /v1/webhooks/{id}/deliveries lists them.',
  'method-not-allowed': '',
  'not-acceptable': '',
  'payload-too-large': '',
  'unsupported-media-type': '',
  'port-taken': ({ holder }) => {
    if (holder === undefined) return ''; // the holder is not known yet, and the message says to try again
    if (holder.id === null) return 'Ask for another port, or leave the port out to get the lowest free one.';
    return 'Ask for another port, leave the port out to get the lowest free one, or have its holder give it up.';
  },
  'environment-elsewhere':
    'Give the environment of this folder another name, or leave the path out to get these ports.',
  'range-exhausted': ({ project }) =>
    `Release one (GET /v1/allocations?project=${project ?? '{project}'} lists them), or add a range with POST /v1/ranges.`,
  'range-overlap':
    'Choose another start port, or leave it out to get the lowest free block. GET /v1/ranges lists the ranges.',
  'no-free-block': 'Delete a range that nobody uses: GET /v1/ranges shows how full each is.',
  'range-in-use': ({ project = '{project}', taken }) =>
    [
      taken?.allocated !== 0 && `Release the allocations first: GET /v1/allocations?project=${project} lists them.`,
      taken?.reserved !== 0 && `Cancel the reservations first: GET /v1/reservations?project=${project} lists them.`,
    ]
      .filter(Boolean)
      .join(' '),
  'limit-reached': ({ limit, project = '{project}' }) => {
    if (limit === 'environments') return `GET /v1/projects/${project}/environments lists them.`;
    if (limit === 'hosts')
      return `GET /v1/allocations?project=${project} and GET /v1/reservations?project=${project} list what is held.`;
    return '';
  },
  'webhook-disabled': 'PATCH /v1/webhooks/{id} with "enabled": true switches it on.',
  'allocation-released': 'Allocate a port for the service again and change that.',
  'reservation-ended': 'Reserve a port again.',
  'cloudflare-not-configured':
    'GET /v1/exports/cloudflared writes the rules for a tunnel that is configured by a file.',
  'cloudflare-unavailable': 'GET /v1/cloudflare tells when the next attempt is made.',
  'dotenv-name-conflict': ({ areInSeveralPlaces }) =>
    areInSeveralPlaces
      ? 'Ask for one project, environment and host, or take the JSON.'
      : 'Rename them, or take the JSON.',
  'reservation-expired': 'Reserve a port again, and renew it in time.',
  'events-expired':
    'Read the present state (GET /v1/allocations), then follow without Last-Event-ID and cursor; GET /v1/events without a ' +
    'cursor begins with the oldest event that is kept.',
  'port-outside-range': 'Ask for one of those, or leave the port out.',
  'idempotency-key-reused': 'Use a new Idempotency-Key for a new request.',
  'destination-not-allowed': '',
  'not-probeable': ({ port }) => (port === undefined ? '' : `GET /v1/ports/${port} tells who has the number now.`),
  'too-many-requests': '',
  'internal-error': '',
  'database-unavailable': ({ isOutcomeUnknown }) => (isOutcomeUnknown ? REPEAT_WITH_CARE : ''),
  overloaded: ({ isOutcomeUnknown }) => (isOutcomeUnknown ? REPEAT_WITH_CARE : ''),
  'project-busy': '',
};
