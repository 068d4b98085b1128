import type { AllocationKey } from '../../keys.js';
import * as refusals from '../../refusals.js';
import { toAllocation } from '../../repositories/allocations.js';
import type { Allocation, AllocationDetails } from '../../schemas/allocation.js';
import type { CommandDefinition } from '../command.js';
import { hostnamesOf } from '../hostnames.js';

/** Changes what describes every active allocation of a key, and answers them by port. */
export const updateService: CommandDefinition<{ key: AllocationKey; details: AllocationDetails }, Allocation[]> = {
  needs: ({ key, details }) => ({ keys: [key], hostnames: hostnamesOf(details) }),

  decide(state, { key, details }) {
    state.requireRange();
    const held = state.heldBy(key);
    if (held.length === 0) throw refusals.keyNotFound(key);
    return held.map((row) => toAllocation(state.update(row, details)));
  },

  repeatable: () => false, // it would undo what somebody else has changed in between
};
