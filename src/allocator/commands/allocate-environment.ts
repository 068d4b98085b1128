import type { AllocationKey } from '../../keys.js';
import type { Allocation, AllocationDetails } from '../../schemas/allocation.js';
import { type CommandDefinition, hasNoDetails } from '../command.js';
import type { Expiry } from '../environments.js';
import { hostnamesOf } from '../hostnames.js';
import type { FirstRange } from '../new-range.js';
import { getOrAllocate } from './get-or-allocate.js';

export interface AllocateEnvironment {
  /** No two keys are the same, and all have the same environment, host and protocol. */
  services: { key: AllocationKey; details: AllocationDetails }[];
  /** The folder that the environment lives in; left out, it is neither checked nor changed. */
  path?: string | undefined;
  /** When it expires, or null for never; left out, that is not changed. */
  expiry?: Expiry | null | undefined;
  firstRange?: FirstRange | undefined;
}

export interface EnvironmentOfPorts {
  items: Allocation[];
  created: boolean;
  expiry: (Expiry & { at: Date }) | null;
}

/** Get-or-allocate for every service, or for none of them. */
export const allocateEnvironment: CommandDefinition<AllocateEnvironment, EnvironmentOfPorts> = {
  needs({ services }) {
    const keys = services.map(({ key }) => key);
    return {
      ...(keys[0] && { put: keys[0].environment }),
      keys,
      takes: keys.map((key) => ({ ...key, port: null })),
      hostnames: services.flatMap(({ details }) => hostnamesOf(details)),
      environments: keys.map(({ environment }) => environment),
    };
  },

  decide(state, { services, path, expiry, firstRange }) {
    state.requireRange(firstRange);
    const environment = services[0]?.key.environment ?? '';
    if (path !== undefined) state.environments.requireHere(environment, path);
    const missing = services.map(({ key }) => key).filter((key) => state.heldBy(key).length === 0);
    // Once there is a port for every missing service nothing below refuses, so that it is all or none.
    if (missing[0]) {
      state.room.requirePlace(missing[0].host, missing[0].environment);
      state.space(missing[0]).requireRoom(missing);
    }
    const items = services.map((service) => getOrAllocate.decide(state, { ...service, firstRange }).allocation);
    state.environments.put(environment, { path, expiry });
    return { items, created: missing.length > 0, expiry: state.environments.expiryOf(environment) };
  },

  repeatable: ({ services, expiry }) => expiry === undefined && services.every(({ details }) => hasNoDetails(details)),
};
