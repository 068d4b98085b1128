import { toAllocation } from '../../repositories/allocations.js';
import type { Allocation, AllocationDetails } from '../../schemas/allocation.js';
import type { CommandDefinition } from '../command.js';

/** Changes what describes one allocation. */
export const update: CommandDefinition<{ id: string; details: AllocationDetails }, Allocation> = {
  needs: ({ id }) => ({ ids: [id] }),
  decide: (state, { id, details }) => toAllocation(state.update(state.find(id), details)),
  repeatable: () => false, // it would undo what somebody else has changed in between
};
