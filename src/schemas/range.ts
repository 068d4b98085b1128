import { type Static, Type } from '@sinclair/typebox';
import { Count, Host, Nullable, OneLine, Page, ProjectName, Protocol, Ref, StringEnum, Timestamp } from './common.js';

/** How many ports a range of each kind has. A CHECK constraint of the table says the same. */
export const RANGE_SIZE = { project: 100, shared: 1000 };
export const RangeKind = StringEnum(['project', 'shared'], {
  description: 'A `project` range has 100 ports, a `shared` one 1000.',
});
const StartPort = Type.Integer({
  minimum: 3000,
  maximum: 64900,
  multipleOf: 100,
  description: 'The first port; a multiple of 100.',
  examples: [3100],
});
const Description = OneLine(1000, 'For people.', ['The Consilio stack']);
const Cooldown = Type.Integer({
  minimum: 0,
  maximum: 2_592_000,
  description: 'Seconds for which a released port is kept from other services; 0 is none.',
  examples: [0],
});

/** The counts of one port space. Each port is counted once. */
export const counts = {
  totalPorts: Count,
  allocatedPorts: Type.Integer({ minimum: 0, description: 'Held, those in use included.' }),
  inUsePorts: Count,
  reservedPorts: Count,
  coolingPorts: Type.Integer({ minimum: 0, description: 'Released too recently for another service.' }),
  excludedPorts: Type.Integer({ minimum: 0, description: 'Given to nobody unasked, see `GET /v1/excluded-ports`.' }),
  availablePorts: Type.Integer({ minimum: 0, description: 'Total less allocated, reserved, cooling and excluded.' }),
  utilization: Type.Number({
    minimum: 0,
    maximum: 100,
    description: 'Allocated of total, in percent, two decimals.',
    examples: [12.5],
  }),
};

const countsExample = {
  totalPorts: 100,
  allocatedPorts: 12,
  inUsePorts: 9,
  reservedPorts: 1,
  coolingPorts: 0,
  excludedPorts: 0,
  availablePorts: 87,
  utilization: 12,
};
const rangeExample = {
  startPort: 3100,
  endPort: 3199,
  project: 'consilio',
  kind: 'project',
  description: 'The Consilio stack',
  reuseCooldownSeconds: 0,
  ...countsExample,
  createdAt: '2026-01-31T12:00:00.000Z',
  warnings: [],
};

export const Range = Type.Object(
  {
    startPort: StartPort,
    endPort: Type.Integer({ minimum: 3099, maximum: 64999, description: 'The last port, included.' }),
    project: ProjectName,
    kind: RangeKind,
    description: Nullable(Description),
    reuseCooldownSeconds: Cooldown,
    ...counts,
    createdAt: Timestamp,
    warnings: Type.Array(Type.String(), { description: 'What deserves a thought, in sentences for people.' }),
  },
  {
    $id: 'Range',
    description: 'A contiguous block of ports, on every host, that belongs to one project.',
    examples: [rangeExample],
  },
);
export type Range = Static<typeof Range>;

export const RangePage = Page(Range, {
  $id: 'RangePage',
  description: 'A page of ranges, by start port.',
  examples: [{ items: [rangeExample], nextCursor: null }],
});

export const NewRange = Type.Object(
  {
    project: ProjectName,
    kind: Type.Optional(StringEnum(['project', 'shared'], { default: 'project' })),
    startPort: Type.Optional(
      Type.Integer({
        minimum: 3000,
        maximum: 64900,
        multipleOf: 100,
        description: 'The first port, a multiple of 100; left out, the lowest free block.',
      }),
    ),
    description: Type.Optional(Nullable(Description)),
  },
  {
    $id: 'NewRange',
    additionalProperties: false,
    description: 'A range for a project, which may have others already.',
    examples: [{ project: 'atlas', description: 'The Atlas stack' }],
  },
);
export type NewRange = Static<typeof NewRange>;

export const NewProject = Type.Omit(NewRange, ['project'], {
  $id: 'NewProject',
  additionalProperties: false,
  description: 'The first range of a project. It counts only if the project has none.',
  examples: [{ description: 'The Atlas stack' }],
});
export type NewProject = Static<typeof NewProject>;

export const RangeChange = Type.Object(
  {
    description: Type.Optional(Nullable(Description)),
    reuseCooldownSeconds: Type.Optional(Cooldown),
  },
  {
    $id: 'RangeChange',
    additionalProperties: false,
    description: 'What is left out stays as it is; a `null` description clears it.',
    examples: [{ reuseCooldownSeconds: 300 }],
  },
);
export type RangeChange = Static<typeof RangeChange>;

export const RangeParams = Type.Object({
  startPort: Type.Integer({ minimum: 0, maximum: 65535, description: 'The first port of the range.' }),
});

const summaryExample = {
  project: 'consilio',
  host: 'localhost',
  protocol: 'tcp',
  rangeStart: 3100,
  rangeEnd: 3199,
  ...countsExample,
  ranges: [rangeExample],
  hostnames: [{ port: 3100, service: 'api', cloudflareHostname: 'api.example.com' }],
};

export const ProjectSummary = Type.Object(
  {
    project: ProjectName,
    host: Host,
    protocol: Protocol,
    rangeStart: Type.Integer({ description: 'First port of the first range.' }),
    rangeEnd: Type.Integer({ description: 'Last port of the first range.' }),
    ...counts,
    ranges: Type.Array(Ref(Range)),
    hostnames: Type.Array(
      Type.Object({ port: Type.Integer(), service: Type.String(), cloudflareHostname: Type.String() }),
      { description: 'Cloudflare hostnames that active allocations of this port space claim, by port.' },
    ),
  },
  {
    $id: 'ProjectSummary',
    description: 'How full a project is, on one host and protocol.',
    examples: [summaryExample],
  },
);
export type ProjectSummary = Static<typeof ProjectSummary>;
export const ProjectPage = Page(ProjectSummary, {
  $id: 'ProjectPage',
  description: 'A page of projects, by name.',
  examples: [{ items: [summaryExample], nextCursor: null }],
});
