// What a project's port space refuses. How to go on is told by each transport's table of next steps.
import { AppError, type Holder, invalidField } from '../errors.js';
import type { Space } from '../keys.js';
import { type Bounds, boundsOf } from '../refusals.js';

interface CoolingPort {
  port: number;
  project: string;
  service: string;
  environment: string;
  available_at: Date;
}

interface Exhaustion {
  /** How many ports were needed at once, and how many there are. */
  needed: number;
  free: number;
  nextAvailableAt: Date | null;
  /** How many ports of the ranges are given to nobody unasked. */
  excluded: number;
  /** On how many ports that nobody holds no server could listen. */
  unusable: number;
}

/** @param spaces one, or the two in which the same port has to be free */
export function rangeExhausted(
  project: string,
  spaces: Space[],
  ranges: Bounds[],
  { needed, free, nextAvailableAt, excluded, unusable }: Exhaustion,
): AppError {
  const soon = nextAvailableAt ? ` The next one comes free by itself at ${nextAvailableAt.toISOString()}.` : '';
  const where = `of ${project} (${describeRanges(ranges)})`;
  const place = spaces.map(describeSpace).join(' and ');
  const lack =
    needed === 1
      ? `No port ${where} is free on ${place}.`
      : `${needed} ports ${where} are needed on ${place}, and ${free} are free. None was taken.`;
  const passedOver = [
    ...(unusable > 0 ? [` Passed over, because somebody listens there or the system keeps them: ${unusable}.`] : []),
    ...(excluded > 0 ? [` Excluded, and to be had only by their number: ${excluded}.`] : []),
  ].join('');
  const nextPortAvailableAt = nextAvailableAt?.toISOString() ?? null;
  return new AppError('range-exhausted', `${lack}${passedOver}${soon}`, { project, nextPortAvailableAt });
}

export function portOutsideRange(project: string, port: number, ranges: Bounds[]): AppError {
  return new AppError(
    'port-outside-range',
    `Port ${port} is not in a range of ${project} (${describeRanges(ranges)}).`,
  );
}

export function portTaken(port: number, space: Space, holder: Holder): AppError {
  const service = holder.service ? `/${holder.service}` : '';
  const environment = holder.environment ? ` (environment ${holder.environment})` : '';
  const who = `${holder.project}${service}${environment}`;
  return new AppError(
    'port-taken',
    `Port ${port} on ${describeSpace(space)} is held by ${who}, by ${holder.kind} ${holder.id}.`,
    { holder },
  );
}

export function portCooling(space: Space, cooling: CoolingPort): AppError {
  const { port, project, service, environment } = cooling;
  const until = cooling.available_at.toISOString();
  return new AppError(
    'port-taken',
    `Port ${port} on ${describeSpace(space)} was released by ${project}/${service} (environment ${environment}) and ` +
      `cools down until ${until}.`,
    { holder: { kind: 'cooling', id: null, project, service, environment }, nextPortAvailableAt: until },
  );
}

export function portAndPrefer(): AppError {
  return invalidField('/prefer', 'cannot go together with `port`, which is taken or refused. Leave one of the two out');
}

const describeSpace = ({ host, protocol }: Space): string => `${host}/${protocol}`;
const describeRanges = (ranges: Bounds[]): string => ranges.map(boundsOf).join(', ');
