import type { AllocationKey } from '../../keys.js';
import { toAllocation } from '../../repositories/allocations.js';
import type { Allocation, AllocationDetails } from '../../schemas/allocation.js';
import { type CommandDefinition, hasNoDetails } from '../command.js';
import { hostnamesOf } from '../hostnames.js';
import type { FirstRange } from '../new-range.js';

export interface GetOrAllocate {
  key: AllocationKey;
  details: AllocationDetails;
  firstRange?: FirstRange | undefined;
}

/** The lowest port that the key holds, or else the lowest free one, which the key holds from then on. */
export const getOrAllocate: CommandDefinition<GetOrAllocate, { allocation: Allocation; created: boolean }> = {
  needs: ({ key, details }) => ({
    keys: [key],
    takes: [{ ...key, port: null }],
    environments: [key.environment],
    hostnames: hostnamesOf(details),
  }),

  decide(state, { key, details, firstRange }) {
    state.requireRange(firstRange);
    const [held] = state.heldBy(key);
    const row = held ? state.update(held, details) : state.allocate(key, details, null);
    return { allocation: toAllocation(row), created: held === undefined };
  },

  repeatable: ({ details }) => hasNoDetails(details),
};
