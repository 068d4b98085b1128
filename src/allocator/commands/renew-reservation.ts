import { toReservation } from '../../repositories/reservations.js';
import type { Reservation } from '../../schemas/reservation.js';
import type { CommandDefinition } from '../command.js';

/** Lets an active reservation last `ttlSeconds` from now on. */
export const renewReservation: CommandDefinition<{ reservationId: string; ttlSeconds: number }, Reservation> = {
  needs: ({ reservationId }) => ({ reservationId }),

  decide(state, { reservationId, ttlSeconds }) {
    const row = state.requireActive(state.findReservation(reservationId));
    state.changeReservation(row, { expires_at: state.secondsFromNow(ttlSeconds) });
    state.space(row).extendReservation(row.port, row.expires_at);
    return toReservation(row, state.now);
  },

  repeatable: () => false, // it would undo what somebody else has changed in between
};
