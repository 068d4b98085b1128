// What the registry refuses, except because of who asks (`access/refusals.ts`). Each function is named after what
// stands in the way, and its refusal is thrown where that is found out. How to go on is told by each transport's table
// of next steps, and some refusals carry facts for those tables.
import { type RefusedKind, refusedLimits } from './config/project-limits.js';
import { AppError, type Holder, invalid } from './errors.js';
import type { AllocationKey } from './keys.js';

export interface Bounds {
  start_port: number;
  end_port: number;
}
const RETRY_SOON = { retryAfter: 1 };
const RETRY_AUDIT = { retryAfter: 5 };
/** How many problems of a list a person would read. */
const NAMED_PROBLEMS = 20;

// Projects and ranges

/** @param suggestions names of similar projects that the caller may see */
export function projectNotFound(project: string, suggestions: string[] = []): AppError {
  const question = suggestions.length > 0 ? ` Did you mean ${suggestions.join(' or ')}?` : '';
  return new AppError('project-not-found', `Project ${project} has no range.${question}`, {
    project,
    ...(suggestions.length > 0 && { suggestions }),
  });
}

export function rangeNotFound(startPort: number): AppError {
  return new AppError('range-not-found', `No range starts at ${startPort}.`, { startPort });
}

export function rangeInUse(range: Bounds & { project: string }, allocated: number, reserved: number): AppError {
  return new AppError(
    'range-in-use',
    `Range ${boundsOf(range)} still holds ${allocated} allocation(s) and ${reserved} reservation(s).`,
    { project: range.project, taken: { allocated, reserved } },
  );
}

export function rangeOverlap(startPort: number, endPort: number, others: (Bounds & { project: string })[]): AppError {
  const names = others.map((range) => `${boundsOf(range)} (${range.project})`).join(', ');
  return new AppError('range-overlap', `${startPort}–${endPort} would overlap ${names}.`);
}

export function rangeEndsTooHigh(endPort: number, lastPort: number): AppError {
  return invalid('/startPort', `The range would end at ${endPort}; ranges end at ${lastPort} at the latest.`);
}

export function noFreeBlock(size: number, firstPort: number, lastPort: number): AppError {
  return new AppError('no-free-block', `No ${size} adjacent ports are left between ${firstPort} and ${lastPort}.`);
}

// Ports

export function excludedPortNotFound(port: number): AppError {
  return new AppError('excluded-port-not-found', `Port ${port} is not excluded.`);
}

/** For a caller who may know no more of who stands in the way than the project. */
export function keptForOther({ kind, project }: Holder): AppError {
  return new AppError('port-taken', `This port is kept for ${project}, which this key does not cover.`, {
    holder: { kind, id: null, project, service: null, environment: null },
  });
}

// Limits of projects

/** @param project null if the limit is that of a caller, whose imports may concern several projects */
export function limitReached(kind: RefusedKind, limit: number, project: string | null): AppError {
  const { variable, reached, remedy } = refusedLimits[kind];
  const who = project === null ? 'This caller' : `Project ${project}`;
  return new AppError(
    'limit-reached',
    `${who} ${reached(limit)}, and more are not allowed. ${remedy}, or ask the operator to raise ${variable}.`,
    { limit: kind, ...(project !== null && { project }) },
  );
}

// Allocations, environments and reservations

export function environmentElsewhere(project: string, environment: string, path: string): AppError {
  return new AppError(
    'environment-elsewhere',
    `Environment ${environment} of ${project} holds ports for the folder ${path}, and another one was given.`,
    { project, path },
  );
}

export function allocationNotFound(id: string): AppError {
  return new AppError('allocation-not-found', `There is no allocation ${id}.`);
}

export function keyNotFound({ project, service, environment, host, protocol }: AllocationKey): AppError {
  return new AppError(
    'allocation-not-found',
    `${project}/${service} holds no ${protocol} port on ${host} in environment ${environment}.`,
    { service },
  );
}

export function allocationReleased(id: string): AppError {
  return new AppError('allocation-released', `Allocation ${id} was released and is history now.`);
}

export function serviceListedTwice(index: number, service: string): AppError {
  return invalid(`/services/${index}/service`, `${service} is listed twice.`);
}

export function expiryWithoutTime(): AppError {
  return invalid('/onExpiry', 'It says what is done when the environment expires, and needs expiresAfterSeconds.');
}

export function reservationNotFound(id: string): AppError {
  return new AppError('reservation-not-found', `There is no reservation ${id}; ended ones are deleted after 7 days.`);
}

export function reservationEnded({ id, status }: { id: string; status: string }): AppError {
  return new AppError('reservation-ended', `Reservation ${id} was ${status} already.`);
}

export function reservationExpired({ id, port, expires_at }: { id: string; port: number; expires_at: Date }): AppError {
  return new AppError(
    'reservation-expired',
    `Reservation ${id} of port ${port} expired at ${expires_at.toISOString()}.`,
  );
}

export function reservedOnOtherHost(host: string): AppError {
  return invalid('/host', `The reservation is of a port on ${host}.`);
}

export function reservedForOtherProtocol(protocol: string): AppError {
  return invalid('/protocol', `The reservation is of a ${protocol} port.`);
}

export function reservedForNoService(): AppError {
  return invalid('/service', 'The reservation names no service, so the claim has to.');
}

// Requests

export function idempotencyKeyReused(key: string): AppError {
  return new AppError(
    'idempotency-key-reused',
    `The idempotency key ${JSON.stringify(key)} was used for another request in the last 24 hours.`,
  );
}

export function cursorUnknown(): AppError {
  return invalid('/query/cursor', 'The cursor is not one that this service handed out; start without it.');
}

export function momentWithStatus(): AppError {
  return invalid('/query/status', 'What was held at a moment is asked for by at alone; leave out status.');
}

/** @param now the time of the database */
export function momentToCome(now: string): AppError {
  return invalid(
    '/query/at',
    `It is ${now} now, and what will be held later is not known. Give a time that has passed.`,
  );
}

/** @param first says which line it is, and what is wrong with it; null for a text without lines */
export function noLineReadable(first: string | null): AppError {
  const which = first === null ? 'The text is empty.' : `No line can be read. ${first}.`;
  return invalid('', `${which} Send the output of ss -ltnp or lsof -i -P -n, with its header or without.`);
}

export function tooManyItems(most: number): AppError {
  return invalid('', `The text has more than ${most} items; send at most that many at a time.`);
}

/** @param problems each names a variable and its services */
export function dotenvNameConflict(problems: string[]): AppError {
  return new AppError('dotenv-name-conflict', describeNames(problems));
}

/** Services of one name, of several projects, environments, hosts or protocols. */
export function dotenvPlaceConflict(problems: string[]): AppError {
  return new AppError('dotenv-name-conflict', describeNames(problems), { areInSeveralPlaces: true });
}

// Probes

export function releasedNotProbeable({ id, port }: { id: string; port: number }): AppError {
  return new AppError('not-probeable', `Allocation ${id} was released and holds no port any more.`, { port });
}

export function udpNotProbeable(id: string): AppError {
  return new AppError(
    'not-probeable',
    `Allocation ${id} is a UDP port, and UDP has no connection whose acceptance would prove anything. Ask the service itself.`,
  );
}

export function hostNotAllowed(host: string): AppError {
  return new AppError(
    'not-probeable',
    `Ports of ${host} are not probed from here, so that this service is no port scanner for strangers. ` +
      'The operator can add the host to PROBE_ALLOWED_HOSTS, or say with PROBE_TARGETS where its ports are reached.',
  );
}

/** @param range what kind of addresses is never probed */
export function addressForbidden(host: string, address: string, range: string): AppError {
  return new AppError(
    'not-probeable',
    `${host} leads to ${address}, ${range}, and those are never probed. ` +
      'The operator can say with PROBE_TARGETS where its ports are reached.',
  );
}

// Load

export function tooManyCallsWait(): AppError {
  return new AppError('project-busy', 'Too many calls wait already. Nothing was changed; try again.', RETRY_SOON);
}

export function tooManyLookUpsWait(): AppError {
  return new AppError('overloaded', 'Too many look-ups wait already; try again.', RETRY_SOON);
}

export function tooManyKeysWait(): AppError {
  return new AppError('overloaded', 'Too many keys are being looked up already; try again.', RETRY_SOON);
}

export function callerGaveUp(): AppError {
  return new AppError('overloaded', 'The caller gave up before its turn came. Nothing was changed.');
}

export function callerLeft(): AppError {
  return new AppError('overloaded', 'The client left before the work was done.');
}

export function auditNotFound(id: string): AppError {
  return new AppError('audit-not-found', `There is no audit ${id}; old ones are deleted.`);
}

/** Each key may run one audit at a time, so that one caller cannot take all the places that callers share. */
export function auditUnderWay(): AppError {
  const message =
    'An audit of this key is running already, and each key may run one at a time. Try again when it has ended.';
  return new AppError('too-many-requests', message, RETRY_AUDIT);
}

export function tooManyAuditsRun(running: number): AppError {
  const message = `${running} audits are running here already. Try again when one of them has ended.`;
  return new AppError('overloaded', message, RETRY_AUDIT);
}

/** @param shortage what this process has run out of, and what to do, in sentences */
export function portNotJudged(shortage: string): AppError {
  return new AppError('overloaded', `The port could not be probed, and nothing was stored. ${shortage}`, RETRY_AUDIT);
}

export function shuttingDown(): AppError {
  return new AppError('overloaded', 'This replica is shutting down. Ask again; another one answers.', RETRY_SOON);
}

export const boundsOf = ({ start_port, end_port }: Bounds): string => `${start_port}–${end_port}`;

function describeNames(problems: string[]): string {
  const named = problems.slice(0, NAMED_PROBLEMS).join('; ');
  const more = problems.length > NAMED_PROBLEMS ? `; and ${problems.length - NAMED_PROBLEMS} more` : '';
  return `These services make no usable variable names: ${named}${more}.`;
}
