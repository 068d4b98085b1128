import type { AllocationKey } from '../../keys.js';
import type { Allocation, AllocationDetails } from '../../schemas/allocation.js';
import { type CommandDefinition, hasNoDetails } from '../command.js';
import { hostnamesOf } from '../hostnames.js';
import type { FirstRange } from '../new-range.js';
import { getOrAllocate } from './get-or-allocate.js';

export interface AllocateEnvironment {
  /** No two keys are the same, and all have the same environment, host and protocol. */
  services: { key: AllocationKey; details: AllocationDetails }[];
  /** The folder that the environment lives in; left out, it is neither checked nor changed. */
  path?: string | undefined;
  firstRange?: FirstRange | undefined;
}

/** Get-or-allocate for every service, or for none of them. */
export const allocateEnvironment: CommandDefinition<AllocateEnvironment, { items: Allocation[]; created: boolean }> = {
  needs({ services, path }) {
    const keys = services.map(({ key }) => key);
    return {
      ...(path !== undefined && keys[0] && { pathOf: keys[0].environment }),
      keys,
      takes: keys.map((key) => ({ ...key, port: null })),
      hostnames: services.flatMap(({ details }) => hostnamesOf(details)),
      environments: keys.map(({ environment }) => environment),
    };
  },

  decide(state, { services, path, firstRange }) {
    state.requireRange(firstRange);
    const environment = services[0]?.key.environment ?? '';
    if (path !== undefined) state.paths.requireHere(environment, path);
    const missing = services.map(({ key }) => key).filter((key) => state.heldBy(key).length === 0);
    // Once there is a port for every missing service nothing below refuses, so that it is all or none.
    if (missing[0]) {
      state.room.requirePlace(missing[0].host, missing[0].environment);
      state.space(missing[0]).requireRoom(missing);
    }
    const items = services.map((service) => getOrAllocate.decide(state, { ...service, firstRange }).allocation);
    if (path !== undefined) state.paths.set(environment, path);
    return { items, created: missing.length > 0 };
  },

  repeatable: ({ services }) => services.every(({ details }) => hasNoDetails(details)),
};
