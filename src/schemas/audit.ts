import { type Static, Type } from '@sinclair/typebox';
import {
  Count,
  EnvironmentName,
  Host,
  HostFilter,
  Nullable,
  PortNumber,
  ProjectName,
  Protocol,
  Ref,
  ServiceName,
  StringEnum,
  Timestamp,
} from './common.js';

export const conflictKinds = [
  'not-running',
  'squatter',
  'foreign-listener',
  'reserved-in-use',
  'duplicate-hostname',
  'unreachable',
  'not-judged',
] as const;

export const AuditScope = Type.Object(
  {
    project: Type.Optional(ProjectName),
    host: Type.Optional(Type.String({ ...HostFilter, description: 'Only what is held on this host.' })),
    unallocated: Type.Optional(
      Type.Boolean({ default: false, description: 'Also probe the ports of the ranges that nobody holds.' }),
    ),
  },
  {
    $id: 'AuditScope',
    additionalProperties: false,
    description: 'What to audit; everything that is held, where nothing is said.',
    examples: [{ project: 'consilio', unallocated: true }],
  },
);
export type AuditScope = Static<typeof AuditScope>;

const conflictExample = {
  kind: 'not-running',
  port: 3101,
  host: 'localhost',
  protocol: 'tcp',
  project: 'consilio',
  service: 'web',
  environment: 'default',
  expected: 'consilio/web',
  actual: 'nothing listens',
  detail: 'consilio/web holds port 3101 and does not run: start it, or release the port.',
};

export const AuditConflict = Type.Object(
  {
    kind: StringEnum(conflictKinds, {
      description:
        '`not-running`: held, and nothing listens. `squatter`: nobody holds the port, yet something listens. ' +
        '`foreign-listener`: held, but the process that listens lives outside the folder of the environment. ' +
        '`reserved-in-use`: something listens before the reservation was claimed. `duplicate-hostname`: two active ' +
        'allocations have one Cloudflare hostname, or it is withheld from one and routed to nobody. `unreachable`: ' +
        'the host, not the service. `not-judged`: this service ran out of something, such as open files, and cannot tell.',
    }),
    port: Nullable(PortNumber, { description: '`null` where it is about all ports of the host.' }),
    host: Host,
    protocol: Protocol,
    project: Nullable(ProjectName, { description: 'Who holds the port, or whose range it is in.' }),
    service: Nullable(ServiceName),
    environment: Nullable(EnvironmentName, { description: 'Of the allocation that holds the port.' }),
    expected: Type.String({ description: 'What the registry says, for people.' }),
    actual: Type.String({
      description: 'What was found, for people; on the machine of the service it names the process.',
      examples: ['node, pid 812'],
    }),
    detail: Type.String({ description: 'What it means and what to do, in a sentence.' }),
  },
  { $id: 'AuditConflict', description: 'A difference between registry and reality.', examples: [conflictExample] },
);
export type AuditConflict = Static<typeof AuditConflict>;

export const Audit = Type.Object(
  {
    allocated: Type.Integer({ minimum: 0, description: 'Active allocations in scope, UDP included.' }),
    inUse: Type.Integer({ minimum: 0, description: 'Those found listening.' }),
    notRunning: Type.Integer({ minimum: 0, description: 'Those where nothing listens.' }),
    health: Nullable(
      Type.Number({ minimum: 0, maximum: 100, description: 'Open of probed allocations, in percent, two decimals.' }),
      { description: 'Open of probed allocations, in percent, two decimals; `null` when none was probed.' },
    ),
    conflicts: Type.Array(Ref(AuditConflict), { description: 'By port, host, protocol and kind.' }),
    checkedPorts: Count,
    durationMs: Type.Number({ minimum: 0 }),
    checkedAt: Timestamp,
  },
  {
    $id: 'Audit',
    description: 'Where registry and reality differ.',
    examples: [
      {
        allocated: 2,
        inUse: 1,
        notRunning: 1,
        health: 50,
        conflicts: [conflictExample],
        checkedPorts: 2,
        durationMs: 7,
        checkedAt: '2026-01-31T12:05:00.000Z',
      },
    ],
  },
);
export type Audit = Static<typeof Audit>;
