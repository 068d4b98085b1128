import type { Space } from '../../keys.js';
import { toAllocation } from '../../repositories/allocations.js';
import type { Allocation } from '../../schemas/allocation.js';
import type { CommandDefinition } from '../command.js';

export interface Release {
  id: string;
  /** The allocation's port, which never changes, where it is known. */
  place?: Space & { port: number };
}

/** Releases one allocation by its id. A late retry can never release the port's next holder, which has another id. */
export const release: CommandDefinition<Release, Allocation> = {
  needs: ({ id, place }) => ({ ids: [id], releases: true, frees: place ? [place] : [] }),
  decide: (state, { id }) => toAllocation(state.release(state.find(id))),
  repeatable: () => true,
};
