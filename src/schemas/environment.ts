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
  StringEnum,
  Timestamp,
} from './common.js';

const EXPIRY_RULE =
  'Used is an environment when a probe or an audit finds one of its ports open, when a port is allocated for it, and when ' +
  'it is put, which is recorded at most once an hour, or every 24th part of a time that is shorter than a day.';

/** An hour, in which 24 uses are recorded at most, and a year. */
const ExpiresAfterSeconds = Type.Integer({
  minimum: 3600,
  maximum: 31_536_000,
  description: `After how long without use it expires. ${EXPIRY_RULE}`,
  examples: [604_800],
});
const OnExpiry = StringEnum(['tell', 'release'], {
  description:
    '`tell`: only the event `environment.due` tells of it, a day before (or half of the time, if it is less than two ' +
    'days). `release`: its ports are also released, if no connection to any of them is accepted.',
});
const expiryExample = {
  expiresAfterSeconds: 604_800,
  onExpiry: 'release' as const,
  expiresAt: '2026-02-07T12:45:00.000Z',
};
const expiryFields = {
  expiresAfterSeconds: Nullable(ExpiresAfterSeconds, { description: 'Null: it never expires.' }),
  onExpiry: Nullable(OnExpiry),
  expiresAt: Nullable(Timestamp, { description: 'When it expires, if nobody uses it until then. Null: never.' }),
};

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
  ...expiryExample,
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
    ...expiryFields,
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
  ...expiryExample,
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
    ...expiryFields,
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

export const EnvironmentPorts = Type.Object(
  { items: Type.Array(Ref(Allocation)), ...expiryFields },
  {
    $id: 'EnvironmentPorts',
    description: 'The ports of an environment, on one host and protocol, and when the environment expires.',
    examples: [{ items: [allocationExample], ...expiryExample }],
  },
);
export type EnvironmentExpiry = Omit<Static<typeof EnvironmentPorts>, 'items'>;

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
    expiresAfterSeconds: Type.Optional(
      Nullable(ExpiresAfterSeconds, {
        description: `${ExpiresAfterSeconds.description} Null: never. Left out, nothing is changed.`,
      }),
    ),
    onExpiry: Type.Optional({
      ...OnExpiry,
      // No `default`: it would be filled in also where no `expiresAfterSeconds` is given.
      description: `What is done then: \`tell\` if it is left out. Only beside \`expiresAfterSeconds\`. ${OnExpiry.description}`,
    }),
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
