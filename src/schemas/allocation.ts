import { type Static, Type } from '@sinclair/typebox';
import {
  CreateProject,
  Cursor,
  EnvironmentName,
  Host,
  HostFilter,
  Items,
  Limit,
  Nullable,
  OneLine,
  Page,
  PortNumber,
  ProjectName,
  Protocol,
  ServiceName,
  StringEnum,
  Timestamp,
  Uuid,
} from './common.js';

export const ServiceType = OneLine(100, 'What kind of service it is.', ['http']);
export const Description = OneLine(1000, 'For people.', ['The public API']);
export const CloudflareHostname = Type.String({
  maxLength: 253,
  pattern: '^(\\*\\.)?([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\\.)+[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$',
  'x-canonical': 'hostname',
  description:
    'The public hostname that Cloudflare routes to this port: a name alone, without scheme or path; kept in lower case.',
  examples: ['api.example.com'],
});
const Metadata = Type.Unsafe<Record<string, unknown>>({
  type: 'object',
  additionalProperties: true,
  'x-maxJsonBytes': 16384,
  description: 'Anything of your own, at most 16 KiB as JSON; replaced as a whole.',
  examples: [{ team: 'core' }],
});

export const AllocationStatus = StringEnum(['allocated', 'in_use', 'released'], {
  description: '`allocated`: held. `in_use`: held, and a probe found it listening. `released`: history.',
});

export const allocationExample = {
  id: '0b4e1d1e-6d3c-4a8f-9d55-0f7f6a3f2c11',
  port: 3100,
  project: 'consilio',
  service: 'api',
  environment: 'default',
  host: 'localhost',
  protocol: 'tcp',
  status: 'in_use',
  serviceType: 'http',
  description: 'The public API',
  cloudflareHostname: 'api.example.com',
  metadata: { team: 'core' },
  allocatedAt: '2026-01-31T12:00:00.000Z',
  lastUsedAt: '2026-01-31T12:05:00.000Z',
  releasedAt: null,
  updatedAt: '2026-01-31T12:00:00.000Z',
};

export const Allocation = Type.Object(
  {
    id: Uuid,
    port: PortNumber,
    project: ProjectName,
    service: ServiceName,
    environment: EnvironmentName,
    host: Host,
    protocol: Protocol,
    status: AllocationStatus,
    serviceType: Nullable(ServiceType),
    description: Nullable(Description),
    cloudflareHostname: Nullable(CloudflareHostname, {
      description:
        'The public hostname that Cloudflare routes to this port. It belongs to the project that set it first, until ' +
        'that project has given it up and the cooldown of the range has passed. Where another project had it when it ' +
        'was set, it is withheld (`warnings` says so), and routed only after it is set again when it is free.',
    }),
    metadata: Nullable(Metadata),
    allocatedAt: Timestamp,
    lastUsedAt: Nullable(Timestamp, { description: 'When a probe last found it listening.' }),
    releasedAt: Nullable(Timestamp),
    updatedAt: Timestamp,
    warnings: Type.Optional(
      Type.Array(Type.String(), {
        description:
          'What deserves a thought, in sentences for people, for example that `cloudflareHostname` is withheld; left out ' +
          'where there is nothing to say.',
      }),
    ),
  },
  { $id: 'Allocation', description: 'One port held for one service.', examples: [allocationExample] },
);
export type Allocation = Static<typeof Allocation>;

/**
 * For answers about all the ports of a change, which may be thousands. Their metadata, 16 KiB each, would be read under
 * the project's lock and sent at once.
 */
export const AllocationOutline = Type.Omit(Allocation, ['metadata'], {
  $id: 'AllocationOutline',
  description: 'One port held for one service, without its metadata, which the allocation itself has.',
  examples: [withoutMetadata(allocationExample)],
});
export type AllocationOutline = Static<typeof AllocationOutline>;

export function withoutMetadata<T extends { metadata: unknown }>({ metadata: _, ...outline }: T): Omit<T, 'metadata'> {
  return outline;
}

export const AllocationPage = Page(Allocation, {
  $id: 'AllocationPage',
  description: 'A page of allocations.',
  examples: [{ items: [allocationExample], nextCursor: null }],
});
export const ReleasedAllocations = Items(Allocation, {
  $id: 'ReleasedAllocations',
  description: 'What was released; empty if nothing was held.',
  examples: [{ items: [{ ...allocationExample, status: 'released', releasedAt: '2026-02-01T08:00:00.000Z' }] }],
});

export const AllocatedPair = Items(Allocation, {
  $id: 'AllocatedPair',
  description: 'One number for two protocols: the allocation for TCP, then the one for UDP.',
  examples: [
    {
      items: [
        { ...allocationExample, status: 'allocated', lastUsedAt: null },
        {
          ...allocationExample,
          id: 'f1f0f2c6-58b8-4d6c-9e43-2f3bd0c2a4f7',
          protocol: 'udp',
          status: 'allocated',
          cloudflareHostname: null,
          lastUsedAt: null,
        },
      ],
    },
  ],
});
export type AllocatedPair = Static<typeof AllocatedPair>;

export const AllocatedPorts = Type.Unsafe<Allocation | AllocatedPair>({
  anyOf: [{ $ref: Allocation.$id }, { $ref: AllocatedPair.$id }],
  $id: 'AllocatedPorts',
  description: 'The allocation, or with `"protocol": "both"` the two allocations.',
  examples: AllocatedPair.examples,
});

/** The fields that describe an allocation and are not part of its key. */
export const descriptive = {
  serviceType: Type.Optional(Nullable(ServiceType)),
  description: Type.Optional(Nullable(Description)),
  cloudflareHostname: Type.Optional(Nullable(CloudflareHostname)),
  metadata: Type.Optional(Nullable(Metadata)),
};

export const AllocationDetails = Type.Object(descriptive, {
  $id: 'AllocationDetails',
  additionalProperties: false,
  description: 'Descriptive fields. What is left out stays as it is; `null` clears.',
  examples: [{ serviceType: 'http', description: 'The public API' }],
});
export type AllocationDetails = Static<typeof AllocationDetails>;

export const NewAllocation = Type.Object(
  {
    service: ServiceName,
    environment: Type.Optional(EnvironmentName),
    host: Type.Optional(Host),
    protocol: Type.Optional(
      StringEnum(['tcp', 'udp', 'both'], {
        default: 'tcp',
        description:
          '`both`: one number for TCP and UDP, which are two allocations; `cloudflareHostname` is that of TCP.',
      }),
    ),
    port: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 65535,
        description:
          "One particular port of the project's ranges, whoever listens there; left out, the lowest usable one.",
      }),
    ),
    prefer: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 65535,
        description:
          'The port to be taken if it would be given out unasked: in a range of the project, free, not excluded, and ' +
          'listened on by nobody. Else the lowest usable one. Not together with `port`.',
      }),
    ),
    ...descriptive,
  },
  {
    $id: 'NewAllocation',
    additionalProperties: false,
    description: 'A further port for a service.',
    examples: [{ service: 'worker', environment: 'staging' }],
  },
);
export type NewAllocation = Static<typeof NewAllocation>;

export const AllocationQuery = Type.Object(
  {
    project: Type.Optional(ProjectName),
    service: Type.Optional(ServiceName),
    environment: Type.Optional(
      Type.String({ pattern: EnvironmentName.pattern as string, description: 'Those of one environment.' }),
    ),
    host: Type.Optional(Type.String({ ...HostFilter, description: 'Those on one host, in any of its spellings.' })),
    protocol: Type.Optional(StringEnum(['tcp', 'udp'], { description: 'Those of one protocol.' })),
    port: Type.Optional(PortNumber),
    status: Type.Optional(
      StringEnum(['allocated', 'in_use', 'released', 'cooling', 'any'], {
        description:
          'Left out: the active ones. `cooling`: those that were released and whose ports are still kept for them, which ' +
          'are the ports with the state `cooling`, each once.',
      }),
    ),
    cloudflareHostname: Type.Optional(CloudflareHostname),
    at: Type.Optional(
      Type.String({
        ...Timestamp,
        description:
          'Those that were held at this time (RFC 3339), which must not lie in the future, with what they have now. Not ' +
          'together with `status`.',
      }),
    ),
    limit: Type.Optional(Limit),
    cursor: Type.Optional(Cursor),
  },
  { additionalProperties: false },
);
export type AllocationQuery = Static<typeof AllocationQuery>;

export const AllocationParams = Type.Object({ id: Type.String({ ...Uuid, description: 'The id of the allocation.' }) });
export const ProjectParams = Type.Object({ project: ProjectName });
export const ServiceParams = Type.Object({ project: ProjectName, service: ServiceName });
export const CreateProjectQuery = Type.Object(
  { createProject: Type.Optional(CreateProject) },
  { additionalProperties: false },
);
export const KeyQuery = Type.Object(
  {
    environment: Type.Optional(EnvironmentName),
    host: Type.Optional(Host),
    protocol: Type.Optional(Protocol),
  },
  { additionalProperties: false },
);
export type KeyQuery = Static<typeof KeyQuery>;
