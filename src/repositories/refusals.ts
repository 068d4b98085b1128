import type { ReservationRow } from '../database/tables.js';
import { AppError, type Holder } from '../errors.js';
import type { CoolingPort } from './port-space.js';

interface Space {
  host: string;
  protocol: string;
}
interface Bounds {
  start_port: number;
  end_port: number;
}

/** Every refusal says what stands in the way and what to do; a client acts on its code. */
export function projectNotFound(project: string): AppError {
  return new AppError(
    'project-not-found',
    `Project ${project} has no range. GET /v1/projects lists those that have; POST /v1/ranges gives it one.`,
  );
}

export function readerChangesNothing(): AppError {
  return new AppError(
    'forbidden',
    'This key has the role reader, which changes nothing; audits and probes store what they find, and so are changes. ' +
      'Use a key with the role project or admin.',
  );
}

/** The same whether or not there is such a project. @param covered those of the key */
export function projectNotCovered(project: string, covered: readonly string[]): AppError {
  return new AppError(
    'forbidden',
    `This key covers ${covered.join(', ')}, and not ${project}. Use a key that covers it.`,
  );
}

export function notForProjectKeys(): AppError {
  return new AppError(
    'forbidden',
    'This tells of all projects, and this key has the role project. Use one with the role reader or admin.',
  );
}

export function keysNotInForce(): AppError {
  return new AppError(
    'forbidden',
    'No keys are in force here, and so there are none to manage. Start the service with ADMIN_API_KEY first.',
  );
}

export function adminsOnly(role: string): AppError {
  return new AppError('forbidden', `This takes a key with the role admin, and this one has the role ${role}.`);
}

/** For a caller who may know no more of who stands in the way than the project. */
export function keptForOther({ kind, project }: Holder): AppError {
  return new AppError(
    'port-taken',
    `This port is kept for ${project}, which this key does not cover. Ask for another port, or leave the port out to ` +
      'get the lowest free one.',
    { holder: { kind, id: null, project, service: null, environment: null } },
  );
}

export function rangeNotFound(startPort: number): AppError {
  return new AppError(
    'range-not-found',
    `No range starts at ${startPort}. GET /v1/ranges lists them; GET /v1/ports/${startPort} tells which one covers this port.`,
  );
}

export function allocationNotFound(id: string): AppError {
  return new AppError('allocation-not-found', `There is no allocation ${id}. GET /v1/allocations lists them.`);
}

export function keyNotFound(key: { project: string; service: string; environment: string } & Space): AppError {
  return new AppError(
    'allocation-not-found',
    `${key.project}/${key.service} holds no ${key.protocol} port on ${key.host} in environment ${key.environment}. PUT the same path to get one.`,
  );
}

export function allocationReleased(id: string): AppError {
  return new AppError(
    'allocation-released',
    `Allocation ${id} was released and is history now. Allocate a port for the service again and change that.`,
  );
}

export function reservationNotFound(id: string): AppError {
  return new AppError(
    'reservation-not-found',
    `There is no reservation ${id}; ended ones are deleted after 7 days. GET /v1/reservations lists them.`,
  );
}

export function reservationEnded({ id, status }: ReservationRow): AppError {
  return new AppError('reservation-ended', `Reservation ${id} was ${status} already. Reserve a port again.`);
}

export function reservationExpired({ id, port, expires_at }: ReservationRow): AppError {
  return new AppError(
    'reservation-expired',
    `Reservation ${id} of port ${port} expired at ${expires_at.toISOString()}. Reserve a port again, and renew it in time.`,
  );
}

/** @param problems named as far as a person would read on */
export function dotenvNameConflict(problems: string[], remedy = 'Rename them, or take the JSON.'): AppError {
  const named = problems.slice(0, 20).join('; ');
  const more = problems.length > 20 ? `; and ${problems.length - 20} more` : '';
  return new AppError(
    'dotenv-name-conflict',
    `These services make no usable variable names: ${named}${more}. ${remedy}`,
  );
}

/** @param short how many ports were needed at once, and how many there are; one and none where left out */
export function rangeExhausted(
  project: string,
  space: Space,
  ranges: Bounds[],
  nextAvailableAt: Date | null,
  short: { needed: number; free: number } = { needed: 1, free: 0 },
): AppError {
  const soon = nextAvailableAt ? ` The next one comes free by itself at ${nextAvailableAt.toISOString()}.` : '';
  const where = `of ${project} (${describeRanges(ranges)})`;
  const lack =
    short.needed === 1
      ? `No port ${where} is free on ${space.host}/${space.protocol}.`
      : `${short.needed} ports ${where} are needed on ${space.host}/${space.protocol}, and ${short.free} are free. None was taken.`;
  return new AppError(
    'range-exhausted',
    `${lack}${soon} ` +
      `Release one (GET /v1/allocations?project=${project} lists them), or add a range with POST /v1/ranges.`,
    { nextPortAvailableAt: nextAvailableAt?.toISOString() ?? null },
  );
}

export function portOutsideRange(project: string, port: number, ranges: Bounds[]): AppError {
  return new AppError(
    'port-outside-range',
    `Port ${port} is not in a range of ${project} (${describeRanges(ranges)}). Ask for one of those, or leave the port out.`,
  );
}

export function portTaken(port: number, space: Space, holder: Holder): AppError {
  const service = holder.service ? `/${holder.service}` : '';
  const environment = holder.environment ? ` (environment ${holder.environment})` : '';
  return new AppError(
    'port-taken',
    `Port ${port} on ${space.host}/${space.protocol} is held by ${holder.project}${service}${environment}, by ${holder.kind} ${holder.id}. ` +
      'Ask for another port, leave the port out to get the lowest free one, or have its holder give it up.',
    { holder },
  );
}

export function portCooling(space: Space, cooling: CoolingPort): AppError {
  const { port, project, service, environment } = cooling;
  return new AppError(
    'port-taken',
    `Port ${port} on ${space.host}/${space.protocol} was released by ${project}/${service} (environment ${environment}) and cools down until ${cooling.available_at.toISOString()}. ` +
      'Ask for another port, or leave the port out to get the lowest free one.',
    {
      holder: { kind: 'cooling', id: null, project, service, environment },
      nextPortAvailableAt: cooling.available_at.toISOString(),
    },
  );
}

export function idempotencyKeyReused(key: string): AppError {
  return new AppError(
    'idempotency-key-reused',
    `Idempotency-Key ${JSON.stringify(key)} was used for another request in the last 24 hours. Use a new key for a new request.`,
  );
}

export function releasedNotProbeable(id: string): AppError {
  return new AppError(
    'not-probeable',
    `Allocation ${id} was released and holds no port any more. GET /v1/ports/{port} tells who has the number now.`,
  );
}

export function udpNotProbeable(id: string): AppError {
  return new AppError(
    'not-probeable',
    `Allocation ${id} is a UDP port, and UDP has no connection whose acceptance would prove anything. Ask the service itself.`,
  );
}

function describeRanges(ranges: Bounds[]): string {
  return ranges.map((range) => `${range.start_port}–${range.end_port}`).join(', ');
}
