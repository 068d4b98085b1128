// What refusals say, and which next step each transport adds for its clients.
import t from 'tap';
import * as portRefusals from '../src/allocator/port-refusals.js';
import { AppError, type ProblemCode, problems } from '../src/errors.js';
import { nextSteps as mcpSteps } from '../src/mcp/next-steps.js';
import { coreTools, tools } from '../src/mcp/tools.js';
import { nextSteps as restSteps } from '../src/plugins/next-steps.js';
import * as refusals from '../src/refusals.js';
import { fromDatabase, holder, id, made, range, space, tell } from './helpers/made-refusals.js';

const byTransport = (code: ProblemCode) => new AppError(code, 'That is not possible.');
const WITH_CARE =
  'Repeat what is idempotent (PUT, DELETE by id, POST with Idempotency-Key), and look before you repeat anything else.';

/**
 * For each code a refusal, REST's next step, and the beginning of MCP's. If a code is missing, this does not compile.
 */
const expected: Record<ProblemCode, [refusal: AppError, rest: string, mcp: string]> = {
  'validation-failed': [made.cursorUnknown, '', 'correct what is named'],
  unauthorized: [made.keyMissing, 'Send Authorization: Bearer <key>.', 'ask the user for an API key'],
  forbidden: [made.adminsOnly, '', 'ask the user for an API key that may do that, '],
  'not-found': [byTransport('not-found'), '', 'list the tools again'],
  'project-not-found': [
    made.projectNotFound,
    'GET /v1/projects lists those that have; PUT /v1/projects/{project} gives it one, and so does createProject=true ' +
      'with a PUT or POST that allocates.',
    'give the name that is meant, or your working folder as cwd. If the project is new, get-port and',
  ],
  'range-not-found': [
    made.rangeNotFound,
    'GET /v1/ranges lists them; GET /v1/ports/3350 tells which one covers this port.',
    'describe-port tells which range',
  ],
  'excluded-port-not-found': [
    made.excludedPortNotFound,
    'GET /v1/excluded-ports lists those that are.',
    'describe-port tells whether a port is excluded',
  ],
  'allocation-not-found': [made.keyNotFound, 'PUT the same path to get one.', 'list-ports shows what is held'],
  'reservation-not-found': [made.reservationNotFound, 'GET /v1/reservations lists them.', 'reserve-port makes'],
  'audit-not-found': [made.auditNotFound, 'GET /v1/audits lists them.', 'audit-ports makes a new one'],
  'api-key-not-found': [made.apiKeyNotFound, 'GET /v1/api-keys lists them.', 'ask the user'],
  'cloudflare-not-configured': [
    made.cloudflareNotConfigured,
    'GET /v1/exports/cloudflared writes the rules for a tunnel that is configured by a file.',
    'ask the user: the tunnel is for the administrators of the registry.',
  ],
  'cloudflare-unavailable': [
    made.cloudflareUnavailable,
    'GET /v1/cloudflare tells when the next attempt is made.',
    'ask the user: the tunnel is for the administrators of the registry.',
  ],
  'method-not-allowed': [byTransport('method-not-allowed'), '', 'call one of the tools'],
  'not-acceptable': [byTransport('not-acceptable'), '', 'call the tool with a client'],
  'payload-too-large': [byTransport('payload-too-large'), '', 'send less'],
  'unsupported-media-type': [byTransport('unsupported-media-type'), '', 'send JSON'],
  'port-taken': [
    made.portTaken,
    'Ask for another port, leave the port out to get the lowest free one, or have its holder give it up.',
    'leave `port` out',
  ],
  'environment-elsewhere': [
    made.environmentElsewhere,
    'Give the environment of this folder another name, or leave the path out to get these ports.',
    'give the environment of this folder another name',
  ],
  'range-exhausted': [
    made.rangeExhausted,
    'Release one (GET /v1/allocations?project=odin lists them), or add a range with POST /v1/ranges.',
    'release what is no longer needed (list-ports',
  ],
  'range-overlap': [
    made.rangeOverlap,
    'Choose another start port, or leave it out to get the lowest free block. GET /v1/ranges lists the ranges.',
    'leave `startPort` out',
  ],
  'no-free-block': [
    made.noFreeBlock,
    'Delete a range that nobody uses: GET /v1/ranges shows how full each is.',
    'ask the user to delete a range',
  ],
  'range-in-use': [
    made.rangeInUse,
    'Release the allocations first: GET /v1/allocations?project=odin lists them. ' +
      'Cancel the reservations first: GET /v1/reservations?project=odin lists them.',
    'release the allocations with release-port: list-ports shows them. wait until the reservations expire',
  ],
  'limit-reached': [
    made.limitReached,
    'GET /v1/projects/odin/environments lists them.',
    'release what is no longer needed',
  ],
  'webhook-not-found': [made.webhookNotFound, 'GET /v1/webhooks lists them.', 'ask the user'],
  'delivery-not-found': [made.deliveryNotFound, 'GET /v1/webhooks/{id}/deliveries lists them.', 'ask the user'],
  'webhook-disabled': [
    made.webhookDisabled,
    'PATCH /v1/webhooks/{id} with "enabled": true switches it on.',
    'ask the user',
  ],
  'destination-not-allowed': [made.destinationNotAllowed, '', 'ask the user'],
  'allocation-released': [
    made.allocationReleased,
    'Allocate a port for the service again and change that.',
    'call get-port',
  ],
  'reservation-ended': [made.reservationEnded, 'Reserve a port again.', 'reserve-port makes a new one'],
  'dotenv-name-conflict': [made.dotenvNameConflict, 'Rename them, or take the JSON.', 'rename one of the services'],
  'reservation-expired': [
    made.reservationExpired,
    'Reserve a port again, and renew it in time.',
    'its port may belong',
  ],
  'events-expired': [
    made.eventsExpired,
    'Read the present state (GET /v1/allocations), then follow without Last-Event-ID and cursor; GET /v1/events without a ' +
      'cursor begins with the oldest event that is kept.',
    'list-ports shows what is held now',
  ],
  'port-outside-range': [made.portOutsideRange, 'Ask for one of those, or leave the port out.', 'leave `port` out'],
  'idempotency-key-reused': [
    made.idempotencyKeyReused,
    'Use a new Idempotency-Key for a new request.',
    'call the tool again.',
  ],
  'not-probeable': [made.hostNotAllowed, '', 'leave `host` out'],
  'too-many-requests': [byTransport('too-many-requests'), '', 'call the tool again after 1 s.'],
  'internal-error': [fromDatabase.mistake, '', 'tell the user; the log has the cause under request r1.'],
  'database-unavailable': [fromDatabase.unknown, WITH_CARE, 'wait 1 s, then look with list-ports'],
  overloaded: [made.tooManyAuditsRun, '', 'call the tool again after 5 s; nothing was changed.'],
  'project-busy': [made.tooManyCallsWait, '', 'call the tool again after 1 s; nothing was changed.'],
};

t.test('each code is answered with the next step of the transport', async (t) => {
  for (const [code, [refusal, rest, mcp]] of Object.entries(expected)) {
    t.equal(refusal.code, code);
    const { detail, text } = tell(refusal);
    t.equal(detail, rest === '' ? refusal.message : `${refusal.message} ${rest}`);
    t.ok(text.startsWith(`${code}: ${refusal.message}\nNext: ${mcp}`), text);
  }
});

t.test('if a code has several next steps, the facts of the refusal decide which is given', async (t) => {
  for (const [refusal, rest] of [
    [made.keyWrong, ''],
    [made.keyExpired, ''],
    [made.allocationNotFound, 'GET /v1/allocations lists them.'],
    [
      refusals.limitReached('hosts', 1000, 'odin'),
      'GET /v1/allocations?project=odin and GET /v1/reservations?project=odin list what is held.',
    ],
    [refusals.limitReached('reservations', 10_000, 'odin'), ''],
    [refusals.limitReached('idempotencyKeys', 100_000, null), ''],
    [made.portCooling, 'Ask for another port, or leave the port out to get the lowest free one.'],
    [made.keptForOther, 'Ask for another port, or leave the port out to get the lowest free one.'],
    [fromDatabase.taken, ''],
    [made.dotenvPlaceConflict, 'Ask for one project, environment and host, or take the JSON.'],
    [made.releasedNotProbeable, 'GET /v1/ports/3300 tells who has the number now.'],
    [fromDatabase.away, ''],
    [refusals.rangeInUse(range, 0, 2), 'Cancel the reservations first: GET /v1/reservations?project=odin lists them.'],
    [refusals.rangeInUse(range, 1, 0), 'Release the allocations first: GET /v1/allocations?project=odin lists them.'],
  ] as const) {
    t.equal(tell(refusal).detail, `${refusal.message} ${rest}`.trim());
  }
  t.match(tell(refusals.rangeInUse(range, 0, 2)).text, /Next: wait until the reservations expire/);
  t.match(tell(refusals.rangeInUse(range, 1, 0)).text, /Next: release the allocations [^.]+\.$/);
  const nothingChanged = /Next: call the tool again after 1 s; nothing was changed\.$/;
  t.match(tell(fromDatabase.away).text, nothingChanged);
  t.match(tell(fromDatabase.noConnection).text, nothingChanged);
  for (const refusal of [fromDatabase.cannotOpen, fromDatabase.noRight, fromDatabase.notMigrated]) {
    t.equal(tell(refusal).detail, refusal.message);
    t.match(tell(refusal).text, /Next: ask the user to do what is said here, [^.]+; nothing was changed\.$/);
  }
  t.match(tell(made.releasedNotProbeable).text, /Next: describe-port tells who has 3300 now\.$/);
});

t.test('an agent is sent to tools that it sees, and told what shows the others', async (t) => {
  const core = coreTools.map(({ name }) => name);
  const others = tools.map(({ name }) => name).filter((name) => !core.includes(name));
  const named = new RegExp(`\\b(${others.join('|')})\\b`);
  for (const refusal of [...Object.values(made), ...Object.values(expected).map(([one]) => one)]) {
    const next = tell(refusal).text.split('\nNext: ')[1] ?? '';
    if (named.test(next)) t.match(next, /which agents see if MCP_TOOLS is all/, refusal.code);
  }
  t.match(
    tell(refusals.projectNotFound('shopp', ['shop'])).text,
    /Did you mean shop\?\nNext: give the name that is meant/,
  );
  t.match(tell(made.projectNotCreated).text, /\nNext: give the project that you mean, or ask the user for an API key/);
  t.match(
    tell(portRefusals.portTaken(3300, space, { ...holder, kind: 'reservation' })).text,
    new RegExp(`Next: if that reservation is yours, call allocate-port with reservationId ${id};`),
  );
});

t.test('the details are the same as in earlier versions', async (t) => {
  t.equal(
    tell(made.projectNotFound).detail,
    'Project x has no range. GET /v1/projects lists those that have; PUT /v1/projects/{project} gives it one, and so ' +
      'does createProject=true with a PUT or POST that allocates.',
  );
  t.equal(
    tell(made.rangeExhausted).detail,
    '3 ports of odin (3300–3399) are needed on localhost/tcp, and 1 are free. None was taken. Passed over, because ' +
      'somebody listens there or the system keeps them: 1. Excluded, and to be had only by their number: 2. The next ' +
      'one comes free by itself at 2026-01-02T03:04:05.000Z. Release one (GET /v1/allocations?project=odin lists them), or add a range with ' +
      'POST /v1/ranges.',
  );
});

t.test('the facts of a refusal are not part of the problem document', async (t) => {
  const fields = ['type', 'title', 'status', 'detail', 'instance', 'code', 'requestId'];
  const extras = ['errors', 'suggestion', 'suggestions', 'holder', 'path', 'nextPortAvailableAt', 'nextStep'];
  for (const refusal of [...Object.values(made), ...Object.values(fromDatabase).flat()]) {
    const other = Object.keys(tell(refusal).document).filter((name) => ![...fields, ...extras].includes(name));
    t.strictSame(other, [], refusal.code);
  }
});

t.test('the messages of the registry mention nothing that only one transport has', async (t) => {
  const names = tools.map(({ name }) => name).join('|');
  const words = new RegExp(
    `\\b(GET|HEAD|PUT|POST|PATCH|DELETE)\\b|/v1/|Idempotency-Key|Authorization|\\b(${names})\\b`,
  );
  for (const { message } of [...Object.values(made), ...Object.values(fromDatabase).flat()]) t.notMatch(message, words);
});

t.test('each transport has a next step for every code, and for nothing else', async (t) => {
  const codes = Object.keys(problems).sort();
  t.strictSame(Object.keys(restSteps).sort(), codes);
  t.strictSame(Object.keys(mcpSteps).sort(), codes);
});
