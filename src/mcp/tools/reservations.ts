import { Type } from '@sinclair/typebox';
import { cancelReservation as cancel, claimReservation as claim, reserve } from '../../registry/reservations.js';
import { Allocation } from '../../schemas/allocation.js';
import { ProjectName } from '../../schemas/common.js';
import { NewReservation, Reservation, ReservationClaim, ReservationParams } from '../../schemas/reservation.js';
import { defineTool, idempotencyOf } from '../tool.js';

const CLOSED = { additionalProperties: false };

export const reservePort = defineTool({
  name: 'reserve-port',
  title: 'Reserve a port for a while',
  description:
    'Holds a port until `ttlSeconds` have passed, without a service behind it yet: use it when a number has to be ' +
    'announced before it is known whether the service will come. claim-reservation turns it into an allocation, ' +
    'cancel-reservation gives it up; otherwise it ends by itself. For a service that is about to run use get-port.',
  operations: ['reservePort'],
  input: Type.Object({ project: ProjectName, ...NewReservation.properties }, CLOSED),
  output: Reservation,
  annotations: { readOnlyHint: false, destructiveHint: false, idempotentHint: false, openWorldHint: false },
  repeatable: 'with-key',
  async execute({ session }, input, call) {
    const { project, ...wanted } = input;
    return (await reserve(session, project, wanted, idempotencyOf(call, input))).reservation;
  },
});

export const claimReservation = defineTool({
  name: 'claim-reservation',
  title: 'Claim a reservation',
  description:
    'Turns a reservation into an allocation of the same port. Use it with the `id` that reserve-port answered; ' +
    '`service` is needed where the reservation has none. Claiming again answers the same allocation.',
  operations: ['claimReservation'],
  input: Type.Object({ ...ReservationParams.properties, ...ReservationClaim.properties }, CLOSED),
  output: Allocation,
  annotations: { readOnlyHint: false, destructiveHint: false, idempotentHint: true, openWorldHint: false },
  repeatable: 'always',
  async execute({ session }, { id, ...details }) {
    return (await claim(session, id, details, null)).allocation;
  },
});

export const cancelReservation = defineTool({
  name: 'cancel-reservation',
  title: 'Cancel a reservation',
  description:
    'Gives a reserved port up before its time. Safe to repeat. One that was claimed stays allocated: release-port ' +
    'gives that back.',
  operations: ['cancelReservation'],
  input: Type.Object(ReservationParams.properties, CLOSED),
  output: Reservation,
  annotations: { readOnlyHint: false, destructiveHint: true, idempotentHint: true, openWorldHint: false },
  repeatable: 'always',
  execute: ({ session }, { id }) => cancel(session, id),
});
