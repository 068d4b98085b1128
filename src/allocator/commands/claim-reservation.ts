import type { Space } from '../../keys.js';
import * as refusals from '../../refusals.js';
import { toAllocation } from '../../repositories/allocations.js';
import type { IdempotencyKey } from '../../repositories/idempotency-keys.js';
import type { Allocation, AllocationDetails } from '../../schemas/allocation.js';
import type { CommandDefinition } from '../command.js';
import { hostnamesOf } from '../hostnames.js';
import type { ProjectState } from '../project-state.js';

export interface ClaimReservation {
  reservationId: string;
  /** Null takes the service that the reservation names. */
  service: string | null;
  environment: string;
  /** Host and protocol as far as the caller gave them. They have to be those of the reservation. */
  space: Partial<Space>;
  details: AllocationDetails;
  idempotency: IdempotencyKey | null;
}

interface Claimed {
  allocation: Allocation;
  /** False where the reservation had been claimed before. */
  created: boolean;
  replayed: boolean;
}

/** Turns a reservation into an allocation of the same port. Claiming it again answers that allocation. */
export const claimReservation: CommandDefinition<ClaimReservation, Claimed> = {
  needs: ({ reservationId, environment, details, idempotency }) => ({
    reservationId,
    environments: [environment],
    hostnames: hostnamesOf(details),
    idempotency,
  }),

  decide(state, input) {
    const { response, created, replayed } = state.once(input.idempotency, () => claim(state, input));
    return { allocation: response, created, replayed };
  },

  repeatable: () => true,
};

function claim(state: ProjectState, { reservationId, space, service, environment, details }: ClaimReservation) {
  const known = state.findReservation(reservationId);
  if (known.status === 'claimed' && known.allocation_id !== null) {
    return { response: toAllocation(state.find(known.allocation_id)), created: false };
  }
  const reservation = state.requireActive(known);
  const { host, protocol, port } = reservation;
  if ((space.host ?? host) !== host) throw refusals.reservedOnOtherHost(host);
  if ((space.protocol ?? protocol) !== protocol) throw refusals.reservedForOtherProtocol(protocol);
  const name = service ?? reservation.service;
  if (name === null) throw refusals.reservedForNoService();
  const allocation = state.allocate({ service: name, environment, host, protocol }, details, port, reservation);
  state.changeReservation(reservation, { status: 'claimed', ended_at: state.now, allocation_id: allocation.id });
  return { response: toAllocation(allocation), created: true };
}
