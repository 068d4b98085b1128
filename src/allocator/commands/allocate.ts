import type { AllocationKey } from '../../keys.js';
import { toAllocation } from '../../repositories/allocations.js';
import type { IdempotencyKey } from '../../repositories/idempotency-keys.js';
import type { Allocation, AllocationDetails } from '../../schemas/allocation.js';
import type { CommandDefinition } from '../command.js';
import { hostnamesOf } from '../hostnames.js';
import type { FirstRange } from '../new-range.js';

export interface Allocate {
  key: AllocationKey;
  details: AllocationDetails;
  /** One particular port; null takes the lowest free one. */
  port: number | null;
  /** With null for `port`: the port to be taken if it is free and usable, instead of the lowest one. */
  prefer?: number | null;
  idempotency: IdempotencyKey | null;
  firstRange?: FirstRange | undefined;
}

/** Always a new port, however many the key holds already. */
export const allocate: CommandDefinition<Allocate, { allocation: Allocation; replayed: boolean }> = {
  needs: ({ key, details, port, prefer = null, idempotency }) => ({
    takes: [{ ...key, port, prefer }],
    environments: [key.environment],
    hostnames: hostnamesOf(details),
    idempotency,
  }),

  decide(state, { key, details, port, prefer, idempotency, firstRange }) {
    const { response, replayed } = state.once(idempotency, () => {
      state.requireRange(firstRange);
      const preferred = port ?? (prefer ? state.space(key).preferredFor(prefer, key) : null);
      return { response: toAllocation(state.allocate(key, details, preferred)), created: true };
    });
    return { allocation: response, replayed };
  },

  repeatable: ({ idempotency }) => idempotency !== null,
};
