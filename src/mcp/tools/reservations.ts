import { Type } from '@sinclair/typebox';
import { toSlug } from '../../input/slug.js';
import { cancelReservation as cancel, claimReservation as claim, reserve } from '../../registry/reservations.js';
import type { Session } from '../../registry/session.js';
import { findReservation } from '../../repositories/reservations.js';
import { NewReservation, ReservationParams } from '../../schemas/reservation.js';
import { identify, omitNulls, tellHolder, tellLines, tellWarnings } from '../answers.js';
import { findProject } from '../folder.js';
import { brief, CLOSED, environmentField, invalidInput, ProjectFields, Space } from '../inputs.js';
import { ADDS, type Answer, defineTool, ENSURES, idempotencyOf, REMOVES } from '../tool.js';

const { ttlSeconds, port, service, reservedBy, reason } = NewReservation.properties;
const Id = brief(ReservationParams.properties.id);

/** What a reservation is claimed for. */
interface Wanted {
  service?: string;
  environment?: string;
}

export const reservePort = defineTool({
  name: 'reserve-port',
  description:
    'Holds a number for some time, such as for a demo tomorrow; then it is free again. A service that you start now ' +
    'needs get-port alone. To use the number, call allocate-port with reservationId.',
  operations: ['reservePort'],
  input: Type.Object(
    {
      ttlSeconds: brief(ttlSeconds, 'Seconds: a day is 86400, at most 30 days.'),
      ...ProjectFields,
      port: Type.Optional(brief(port, 'Else the lowest free one.')),
      service: Type.Optional(brief(service)),
      ...Space,
      reservedBy: Type.Optional(brief(reservedBy, 'Who asks.')),
      reason: Type.Optional(brief(reason)),
    },
    CLOSED,
  ),
  annotations: ADDS,
  repeatable: 'with-key',
  async execute({ session, readFolder }, input, call) {
    const { project: named, cwd, ...wanted } = input;
    const project = await findProject({ project: named, cwd }, readFolder);
    const { reservation } = await reserve(session, project, wanted as NewReservation, idempotencyOf(call, input));
    return {
      text: `${reservation.port} is reserved for ${project} until ${reservation.expiresAt}. id: ${reservation.id}`,
      content: omitNulls(reservation),
    };
  },
});

export const claimReservation = defineTool({
  name: 'claim-reservation',
  description: 'Turns a reservation into an allocation of the same number. Again answers the same.',
  operations: ['claimReservation'],
  input: Type.Object(
    { id: Id, service: Type.Optional(brief(service)), environment: environmentField('Else default.') },
    CLOSED,
  ),
  annotations: ENSURES,
  repeatable: 'always',
  async execute({ session }, { id, service, environment }) {
    const wanted = {
      ...(service !== undefined && { service }),
      ...(environment && { environment: toSlug(environment) }),
    };
    return claimPort(session, id, wanted, '/id');
  },
});

/**
 * Claims a reservation for a caller that names the project too, and must not get a port of another one.
 * @throws AppError validation-failed, reservation-not-found, and what `claimReservation` throws
 */
export async function claimFor(session: Session, project: string, id: string, wanted: Wanted): Promise<Answer> {
  const reservation = await session.read(findReservation, id);
  if (reservation.project === project) return claimPort(session, id, wanted, '/reservationId');
  throw invalidInput({ pointer: '/reservationId', detail: `is of project ${reservation.project}, and not ${project}` });
}

/**
 * A reservation that was claimed before answers the allocation of then. It must not be taken for the port of another
 * service.
 * @param pointer of the field that named the reservation
 */
async function claimPort(session: Session, id: string, wanted: Wanted, pointer: string): Promise<Answer> {
  const { allocation } = await claim(session, id, wanted, null);
  const { service = allocation.service, environment = allocation.environment } = wanted;
  if (allocation.service !== service || allocation.environment !== environment) {
    throw invalidInput({ pointer, detail: `was used before, by ${tellHolder(allocation)}` });
  }
  const text = tellLines(`${tellHolder(allocation)}: ${allocation.port}`, tellWarnings([allocation]));
  return { text, content: identify(allocation) };
}

export const cancelReservation = defineTool({
  name: 'cancel-reservation',
  description: 'Gives a reserved number up before its time, so that others can have it.',
  operations: ['cancelReservation'],
  input: Type.Object({ id: Id }, CLOSED),
  annotations: REMOVES,
  repeatable: 'always',
  async execute({ session }, { id }) {
    const reservation = await cancel(session, id);
    const { port, status, allocationId } = reservation;
    const text =
      allocationId === null ? `${port} is ${status}.` : `${port} was claimed before: release-port gives it up.`;
    return { text, content: omitNulls(reservation) };
  },
});
