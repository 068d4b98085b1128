import { toReservation } from '../../repositories/reservations.js';
import type { Reservation } from '../../schemas/reservation.js';
import type { CommandDefinition } from '../command.js';

/** Gives a reservation up. One that has ended, in whatever way, is answered as it is. */
export const cancelReservation: CommandDefinition<{ reservationId: string }, Reservation> = {
  needs: ({ reservationId }) => ({ reservationId }),

  decide(state, { reservationId }) {
    const row = state.findReservation(reservationId);
    if (row.status === 'active' && row.expires_at > state.now) {
      state.changeReservation(row, { status: 'cancelled', ended_at: state.now });
      state.space(row).cancel(row.port);
    }
    return toReservation(row, state.now);
  },

  repeatable: () => true,
};
