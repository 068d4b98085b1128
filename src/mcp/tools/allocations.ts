import { Type } from '@sinclair/typebox';
import { keyOf } from '../../keys.js';
import {
  allocate,
  getOrAllocate,
  listAllocations,
  releaseAllocation,
  updateAllocation,
} from '../../registry/allocations.js';
import {
  Allocation,
  AllocationDetails,
  AllocationPage,
  AllocationQuery,
  ChangedAllocations,
  NewAllocation,
  withoutMetadata,
} from '../../schemas/allocation.js';
import { ProjectName, Ref } from '../../schemas/common.js';
import { IdOrKey, Key, readIdOrKey, ShortPage, TOOL_PAGE_BYTES } from '../inputs.js';
import { defineTool, idempotencyOf, READS } from '../tool.js';

const CLOSED = { additionalProperties: false };

export const getPort = defineTool({
  name: 'get-port',
  title: 'Get the port of a service',
  description:
    'Use this whenever a service needs a port to listen on: before starting it, writing its configuration or its ' +
    'compose file. Answers the port that the service holds, or allocates the lowest free one of the project and keeps ' +
    'it. Call it again at any time, from anywhere, and get the same answer. A copy of a stack (a branch, a worktree) ' +
    'gives its own `environment`. Never choose a port yourself, and never use this to get a second port for one ' +
    'service: that is allocate-port. Descriptive fields that are given are applied to an existing allocation too.',
  operations: ['getOrAllocatePort'],
  input: Type.Object({ ...Key, ...AllocationDetails.properties }, CLOSED),
  output: Allocation,
  // Destructive, because the descriptive fields that are given replace those of an existing allocation.
  annotations: { readOnlyHint: false, destructiveHint: true, idempotentHint: true, openWorldHint: false },
  repeatable: 'always',
  async execute({ session, listenerWarnings }, { project, service, environment, host, protocol, ...details }) {
    const key = keyOf({ project, service }, { environment, host, protocol });
    return listenerWarnings.add(session, (await getOrAllocate(session, key, details)).allocation);
  },
});

export const allocatePort = defineTool({
  name: 'allocate-port',
  title: 'Allocate a further port',
  description:
    'Always takes a new port, so calling it twice takes two. Use it when one service needs several ports (HTTP and ' +
    'metrics), for one particular number (`port`), one that would be nice (`prefer`), or one number for TCP and UDP ' +
    '(`protocol: both`, whose second allocation is `udp`). For the usual one port of a service use get-port instead, ' +
    'which can be repeated.',
  operations: ['allocatePort'],
  input: Type.Object({ project: ProjectName, ...NewAllocation.properties }, CLOSED),
  // Clients need an object at the root, and not a union. So a pair is the allocation for TCP with the other one in it.
  output: Type.Object({ ...Allocation.properties, udp: Type.Optional(Ref(Allocation)) }),
  annotations: { readOnlyHint: false, destructiveHint: false, idempotentHint: false, openWorldHint: false },
  repeatable: 'with-key',
  async execute({ session, listenerWarnings }, input, call) {
    const { project, ...wanted } = input;
    const { allocated, replayed } = await allocate(session, project, wanted, idempotencyOf(call, input));
    const answered = await listenerWarnings.addToNew(session, allocated, replayed ? undefined : wanted.port);
    if (!('items' in answered)) return answered;
    const [tcp, udp] = answered.items as [Allocation, Allocation];
    return { ...tcp, udp };
  },
});

export const listPorts = defineTool({
  name: 'list-ports',
  title: 'List allocated ports',
  description:
    'Looks up which services hold which ports, optionally of one project, service, environment, host or hostname; ' +
    'never allocates. Use it to find an allocation before release-port or update-port, or to see what runs where. ' +
    'Ordered by port. Shows 25 unless `limit` says otherwise; where `nextCursor` is not null there are more: call ' +
    'again with it as `cursor`. For one number use describe-port, for how full a project is port-summary.',
  operations: ['listAllocations', 'getServicePort'],
  input: Type.Object({ ...AllocationQuery.properties, ...ShortPage }, CLOSED),
  output: AllocationPage,
  annotations: READS,
  repeatable: 'always',
  execute: ({ session }, input) => listAllocations(session, { ...input, maxBytes: TOOL_PAGE_BYTES }),
});

export const releasePort = defineTool({
  name: 'release-port',
  title: 'Release ports',
  description:
    'Gives ports back for others to take: use it when a service or an environment is gone for good, not when a ' +
    'service merely stops. With `project` and `service` it releases every port that the service holds in that ' +
    'environment, host and protocol, and says which; with `id` that one allocation. Safe to repeat; empty `items` ' +
    'means nothing was held.',
  operations: ['releaseServicePorts', 'releaseAllocation'],
  input: Type.Object(IdOrKey, CLOSED),
  output: ChangedAllocations,
  annotations: { readOnlyHint: false, destructiveHint: true, idempotentHint: true, openWorldHint: false },
  repeatable: 'by-id',
  async execute({ session }, input) {
    const target = readIdOrKey(input);
    if ('id' in target) return { items: [withoutMetadata(await releaseAllocation(session, target.id))] };
    const { key } = target;
    return { items: (await session.execute(key.project, { kind: 'release-service', key })).map(withoutMetadata) };
  },
});

export const updatePort = defineTool({
  name: 'update-port',
  title: 'Describe allocated ports',
  description:
    'Changes what describes ports that are held: `serviceType`, `description`, `cloudflareHostname`, `metadata`. What ' +
    'is left out stays as it is, null clears, `metadata` is replaced as a whole. A `cloudflareHostname` that is not ' +
    'routed, as `warnings` say, is routed only after it is given again when it is free. With `project` and `service` ' +
    'it updates every port that the service holds in that environment, host and protocol, and says which; with `id` ' +
    'that one allocation. It cannot change the number or the owner: release-port and get-port do that.',
  operations: ['updateAllocation'],
  input: Type.Object({ ...IdOrKey, ...AllocationDetails.properties }, CLOSED),
  output: ChangedAllocations,
  annotations: { readOnlyHint: false, destructiveHint: true, idempotentHint: true, openWorldHint: false },
  repeatable: 'never',
  async execute({ session }, { id, project, service, environment, host, protocol, ...details }) {
    const target = readIdOrKey({ id, project, service, environment, host, protocol });
    if ('id' in target) return { items: [withoutMetadata(await updateAllocation(session, target.id, details))] };
    const { key } = target;
    const updated = await session.execute(key.project, { kind: 'update-service', key, details });
    return { items: updated.map(withoutMetadata) };
  },
});
