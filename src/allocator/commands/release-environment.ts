import type { Space } from '../../keys.js';
import { toAllocation } from '../../repositories/allocations.js';
import type { Allocation } from '../../schemas/allocation.js';
import type { CommandDefinition } from '../command.js';

/** Releases every active allocation of an environment in one port space, and answers them by port. */
export const releaseEnvironment: CommandDefinition<Space & { environment: string }, Allocation[]> = {
  needs: ({ environment, host, protocol }) => ({ environment: { environment, host, protocol }, releases: true }),

  decide(state, { environment, host, protocol }) {
    state.requireRange();
    return state.heldIn(environment, { host, protocol }).map((row) => toAllocation(state.release(row)));
  },

  repeatable: () => false, // the second answer would be empty
};
