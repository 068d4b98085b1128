import { type Static, Type } from '@sinclair/typebox';
import { Allocation, AllocationOutline, allocationExample, descriptive, withoutMetadata } from './allocation.js';
import {
  EnvironmentName,
  FolderPath,
  Host,
  HostFilter,
  Items,
  Nullable,
  Page,
  PageQuery,
  ProjectName,
  Protocol,
  Ref,
  ServiceName,
  Timestamp,
} from './common.js';

const PATH_ON_RECORD = 'The folder that it lives in; null if none was given.';

const environmentExample = {
  project: 'consilio',
  environment: 'feature-x',
  allocatedPorts: 2,
  inUsePorts: 1,
  firstAllocatedAt: '2026-01-31T12:00:00.000Z',
  ageSeconds: 3600,
  lastAllocatedAt: '2026-01-31T12:30:00.000Z',
  lastUsedAt: '2026-01-31T12:45:00.000Z',
  path: '/home/kim/consilio-feature-x',
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
    path: Nullable(FolderPath, { description: PATH_ON_RECORD }),
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

const heldExample = {
  project: 'consilio',
  environment: 'feature-x',
  path: '/home/kim/consilio-feature-x',
  ports: 2,
  firstAllocatedAt: '2026-01-31T12:00:00.000Z',
  lastUsedAt: '2026-01-31T12:45:00.000Z',
  listening: 1,
};

export const HeldEnvironment = Type.Object(
  {
    project: ProjectName,
    environment: EnvironmentName,
    path: Nullable(FolderPath, { description: PATH_ON_RECORD }),
    ports: Type.Integer({ minimum: 1, description: 'How many it holds: on `host`, or on all hosts.' }),
    firstAllocatedAt: Type.String({ ...Timestamp, description: 'When the oldest of them was allocated.' }),
    lastUsedAt: Nullable(Timestamp, { description: 'When a probe last found any of them listening.' }),
    listening: Type.Integer({ minimum: 0, description: 'How many of them the last probe found listening.' }),
  },
  { $id: 'HeldEnvironment', description: 'An environment that holds a port, in short.', examples: [heldExample] },
);
export type HeldEnvironment = Static<typeof HeldEnvironment>;
export const HeldEnvironmentPage = Page(HeldEnvironment, {
  $id: 'HeldEnvironmentPage',
  description: 'A page of environments of all projects, by project and name.',
  examples: [{ items: [heldExample], nextCursor: null }],
});

/** Ten years, which is longer than any environment is kept unused. */
const MAX_UNUSED_SECONDS = 315_360_000;

export const EnvironmentQuery = Type.Object(
  {
    project: Type.Optional(ProjectName),
    host: Type.Optional(
      Type.String({ ...HostFilter, description: 'Only what they hold on one host, in any spelling.' }),
    ),
    path: Type.Optional(
      Type.String({
        ...FolderPath,
        description: 'Those that live in this folder: an absolute path, compared exactly.',
      }),
    ),
    unusedForSeconds: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: MAX_UNUSED_SECONDS,
        description: 'Those of which, for so long, no port was found listening by a probe and none was allocated.',
      }),
    ),
    ...PageQuery.properties,
  },
  { additionalProperties: false },
);
export type EnvironmentQuery = Static<typeof EnvironmentQuery>;

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
