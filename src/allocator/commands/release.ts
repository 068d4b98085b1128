import { toAllocation } from '../../repositories/allocations.js';
import type { Allocation } from '../../schemas/allocation.js';
import type { CommandDefinition } from '../command.js';

/** Releases one allocation by its id. A late retry can never release the port's next holder, which has another id. */
export const release: CommandDefinition<{ id: string }, Allocation> = {
  needs: ({ id }) => ({ ids: [id], releases: true }),
  decide: (state, { id }) => toAllocation(state.release(state.find(id))),
  repeatable: () => true,
};
