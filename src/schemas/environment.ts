import { type Static, Type } from '@sinclair/typebox';
import { Allocation, AllocationOutline, allocationExample, descriptive, withoutMetadata } from './allocation.js';
import {
  EnvironmentName,
  FolderPath,
  Host,
  Items,
  Nullable,
  Page,
  ProjectName,
  Protocol,
  Ref,
  ServiceName,
  Timestamp,
} from './common.js';

const environmentExample = {
  project: 'consilio',
  environment: 'feature-x',
  allocatedPorts: 2,
  inUsePorts: 1,
  firstAllocatedAt: '2026-01-31T12:00:00.000Z',
  ageSeconds: 3600,
  lastAllocatedAt: '2026-01-31T12:30:00.000Z',
  lastUsedAt: '2026-01-31T12:45:00.000Z',
  spaces: [{ host: 'localhost', protocol: 'tcp', allocatedPorts: 2 }],
};

export const Environment = Type.Object(
  {
    project: ProjectName,
    environment: EnvironmentName,
    allocatedPorts: Type.Integer({ minimum: 1, description: 'Held, on all hosts and protocols.' }),
    inUsePorts: Type.Integer({ minimum: 0, description: 'Of those, found listening by the last probe.' }),
    firstAllocatedAt: Type.String({ ...Timestamp, description: 'When the oldest of them was allocated.' }),
    ageSeconds: Type.Integer({ minimum: 0, description: 'Since `firstAllocatedAt`.' }),
    lastAllocatedAt: Type.String({ ...Timestamp, description: 'When the newest of them was allocated.' }),
    lastUsedAt: Nullable(Timestamp, { description: 'When a probe last found any of them listening.' }),
    spaces: Type.Array(Type.Object({ host: Host, protocol: Protocol, allocatedPorts: Type.Integer({ minimum: 1 }) }), {
      description: 'Where they are: what `host` and `protocol` a DELETE of the environment needs.',
    }),
  },
  {
    $id: 'Environment',
    description: 'One copy of a stack, as long as it holds a port.',
    examples: [environmentExample],
  },
);
export type Environment = Static<typeof Environment>;
export const EnvironmentPage = Page(Environment, {
  $id: 'EnvironmentPage',
  description: 'A page of environments.',
  examples: [{ items: [environmentExample], nextCursor: null }],
});

export const EnvironmentPorts = Items(Allocation, {
  $id: 'EnvironmentPorts',
  description: 'The ports of an environment, on one host and protocol.',
  examples: [{ items: [allocationExample] }],
});

export const EnvironmentOutline = Items(AllocationOutline, {
  $id: 'EnvironmentOutline',
  description: 'The ports of the services that were asked for, without metadata.',
  examples: [{ items: [withoutMetadata(allocationExample)] }],
});

export const EnvironmentService = Type.Object(
  { service: ServiceName, ...descriptive },
  {
    $id: 'EnvironmentService',
    additionalProperties: false,
    description: 'One service of a stack.',
    examples: [{ service: 'web', serviceType: 'http' }],
  },
);

export const EnvironmentServices = Type.Object(
  {
    services: Type.Array(Ref(EnvironmentService), {
      minItems: 1,
      maxItems: 1000,
      description: 'Each once. Services that the environment has already and that are not named are left alone.',
    }),
    path: Type.Optional(
      Type.String({
        ...FolderPath,
        description:
          `${FolderPath.description} It is kept as long as the environment holds a port, on any host and protocol; ` +
          'another one given meanwhile is refused. Left out, nothing is checked or changed.',
      }),
    ),
  },
  {
    $id: 'EnvironmentServices',
    additionalProperties: false,
    description: 'The services of a stack.',
    examples: [
      {
        services: [{ service: 'web', serviceType: 'http' }, { service: 'api' }],
        path: '/home/kim/consilio-feature-x',
      },
    ],
  },
);
export type EnvironmentServices = Static<typeof EnvironmentServices>;

export const EnvironmentParams = Type.Object({ project: ProjectName, environment: EnvironmentName });
