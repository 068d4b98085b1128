import type { AllocationKey } from '../../keys.js';
import { toAllocation } from '../../repositories/allocations.js';
import type { Allocation } from '../../schemas/allocation.js';
import type { CommandDefinition } from '../command.js';

/** Releases every active allocation of a key, and answers them by port; none if the key held nothing. */
export const releaseService: CommandDefinition<{ key: AllocationKey }, Allocation[]> = {
  needs: ({ key }) => ({ keys: [key], releases: true }),

  decide(state, { key }) {
    state.requireRange();
    return [...state.heldBy(key)].map((row) => toAllocation(state.release(row)));
  },

  repeatable: () => false, // the second answer would be empty
};
