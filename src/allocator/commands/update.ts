import { toAllocation } from '../../repositories/allocations.js';
import type { Allocation, AllocationDetails } from '../../schemas/allocation.js';
import type { CommandDefinition } from '../command.js';
import { hostnamesOf } from '../hostnames.js';

/** Changes what describes one allocation. */
export const update: CommandDefinition<{ id: string; details: AllocationDetails }, Allocation> = {
  needs: ({ id, details }) => ({ ids: [id], hostnames: hostnamesOf(details) }),
  decide: (state, { id, details }) => toAllocation(state.update(state.find(id), details)),
  repeatable: () => false, // it would undo what somebody else has changed in between
};
