import type { Space } from '../../keys.js';
import { toAllocation } from '../../repositories/allocations.js';
import type { Allocation } from '../../schemas/allocation.js';
import type { CommandDefinition } from '../command.js';

export interface ReleaseEnvironment extends Partial<Space> {
  environment: string;
  /** Releases nothing unless the environment has expired and is to be released. Somebody may have used it meanwhile. */
  ifExpired?: true;
}

/** Releases every active allocation of an environment, in one port space or in all, and answers them by port. */
export const releaseEnvironment: CommandDefinition<ReleaseEnvironment, Allocation[]> = {
  needs: ({ environment, host, protocol }) => ({
    environment: { environment, ...(host !== undefined && { host }), ...(protocol !== undefined && { protocol }) },
    releases: true,
  }),

  decide(state, { environment, host, protocol, ifExpired }) {
    state.requireRange();
    if (ifExpired && !state.environments.isReleasable(environment)) return [];
    const space = { ...(host !== undefined && { host }), ...(protocol !== undefined && { protocol }) };
    const released = state.heldIn(environment, space).map((row) => toAllocation(state.release(row)));
    if (released.length > 0) {
      const ports = released.length;
      state.writes.releaseEnvironment({ environment, host: host ?? null, protocol: protocol ?? null, ports });
    }
    return released;
  },

  repeatable: () => false, // the second answer would be empty
};
