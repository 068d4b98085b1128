import type { AllocationKey, Space } from '../../keys.js';
import { toAllocation } from '../../repositories/allocations.js';
import type { IdempotencyKey } from '../../repositories/idempotency-keys.js';
import type { Allocation, AllocationDetails } from '../../schemas/allocation.js';
import type { CommandDefinition } from '../command.js';
import { hostnamesOf } from '../hostnames.js';
import type { FirstRange } from '../new-range.js';
import type { PortSpace } from '../port-space.js';
import type { ProjectState } from '../project-state.js';

export interface AllocateBoth {
  key: Omit<AllocationKey, 'protocol'>;
  details: AllocationDetails;
  /** One particular port; null takes the lowest one that is free for both protocols. */
  port: number | null;
  /** With null for `port`: the port to be taken if it is free and usable, instead of the lowest one. */
  prefer: number | null;
  idempotency: IdempotencyKey | null;
  firstRange?: FirstRange | undefined;
}

const spacesOf = (host: string): [Space, Space] => [
  { host, protocol: 'tcp' },
  { host, protocol: 'udp' },
];

/** A new port that is one number for TCP and UDP: both, or neither. A hostname is that of TCP, which Cloudflare routes. */
export const allocateBoth: CommandDefinition<AllocateBoth, { items: Allocation[]; replayed: boolean }> = {
  needs: ({ key, details, port, prefer, idempotency }) => ({
    takes: spacesOf(key.host).map((space) => ({ ...space, port, prefer, ...(port === null && { all: true }) })),
    environments: [key.environment],
    hostnames: hostnamesOf(details),
    idempotency,
  }),

  decide(state, { key, details, port, prefer, idempotency, firstRange }) {
    const { response, replayed } = state.once(idempotency, () => {
      state.requireRange(firstRange);
      state.room.requirePlace(key.host, key.environment);
      const number = choosePort(state, key, port, prefer);
      const { cloudflareHostname: _, ...forUdp } = details;
      const [tcp, udp] = spacesOf(key.host);
      const items = [
        state.allocate({ ...key, ...tcp }, details, number),
        state.allocate({ ...key, ...udp }, forUdp, number),
      ].map(toAllocation);
      return { response: { items }, created: true };
    });
    return { items: response.items, replayed };
  },

  repeatable: ({ idempotency }) => idempotency !== null,
};

/** @throws AppError range-exhausted, port-taken, port-outside-range */
function choosePort(state: ProjectState, key: AllocateBoth['key'], port: number | null, prefer: number | null): number {
  const spaces = spacesOf(key.host).map((space) => state.space(space));
  if (port !== null) {
    for (const space of spaces) space.requirePort(port, key);
    return port;
  }
  const [tcp, udp] = spaces as [PortSpace, PortSpace];
  if (prefer !== null && tcp.isFreeFor(prefer, key) && udp.preferredFor(prefer, key) !== null) {
    return tcp.preferredFor(prefer, key) as number;
  }
  return tcp.lowestFreeIn(udp);
}
