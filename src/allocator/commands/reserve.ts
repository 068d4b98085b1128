import { randomUUID } from 'node:crypto';
import type { Space } from '../../keys.js';
import type { IdempotencyKey } from '../../repositories/idempotency-keys.js';
import { toReservation } from '../../repositories/reservations.js';
import type { Reservation } from '../../schemas/reservation.js';
import type { CommandDefinition } from '../command.js';

export interface Reserve extends Space {
  /** One particular port; null takes the lowest free one. */
  port: number | null;
  service: string | null;
  ttlSeconds: number;
  reservedBy: string | null;
  reason: string | null;
  idempotency: IdempotencyKey | null;
}

/** Reserves a port for a while. One that is cooling down can be reserved only for the service that released it. */
export const reserve: CommandDefinition<Reserve, { reservation: Reservation; replayed: boolean }> = {
  needs: ({ host, protocol, port, idempotency }) => ({
    takes: [{ host, protocol, port }],
    reserves: true,
    idempotency,
  }),

  decide(state, { host, protocol, port, service, ttlSeconds, reservedBy, reason, idempotency }) {
    const { response, replayed } = state.once(idempotency, () => {
      state.requireRange();
      const space = state.space({ host, protocol });
      const row = state.insertReservation({
        id: randomUUID(),
        port: port === null ? space.lowestFree() : space.requirePort(port, { service, environment: null }),
        project: state.project,
        service,
        host,
        protocol,
        reserved_by: reservedBy,
        reason,
        created_at: state.now,
        expires_at: state.secondsFromNow(ttlSeconds),
        ended_at: null,
        status: 'active',
        allocation_id: null,
      });
      return { response: toReservation(row, state.now), created: true };
    });
    return { reservation: response, replayed };
  },

  repeatable: ({ idempotency }) => idempotency !== null,
};
