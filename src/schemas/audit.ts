import { type Static, Type } from '@sinclair/typebox';
import {
  Count,
  EnvironmentName,
  Host,
  HostFilter,
  Nullable,
  Page,
  PageQuery,
  PortNumber,
  ProjectName,
  Protocol,
  Ref,
  ServiceName,
  StringEnum,
  Timestamp,
  Uuid,
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

const figures = {
  allocated: Type.Integer({ minimum: 0, description: 'Active allocations in scope, UDP included.' }),
  inUse: Type.Integer({ minimum: 0, description: 'Those that listen; without `foreign-listener`.' }),
  notRunning: Type.Integer({ minimum: 0, description: 'Those where nothing listens.' }),
  health: Nullable(
    Type.Number({ minimum: 0, maximum: 100, description: 'Open of probed allocations, in percent, two decimals.' }),
    { description: 'Open of probed allocations, in percent, two decimals; `null` when none was probed.' },
  ),
  conflicts: Type.Array(Ref(AuditConflict), { description: 'By port, host, protocol and kind.' }),
  checkedPorts: Count,
  fullyProbedHosts: Type.Array(Type.String(), {
    description: 'The hosts on which every port of the ranges was probed, and not only those that are held.',
  }),
  durationMs: Type.Number({ minimum: 0 }),
};

const auditExample = {
  id: '7d9f2c1e-3b54-4c1f-8a60-5e2f9b7c4d33',
  project: 'consilio',
  host: null,
  unallocated: true,
  covers: ['consilio'],
  requestedBy: 'deploy-consilio',
  allocated: 2,
  inUse: 1,
  notRunning: 1,
  health: 50,
  conflicts: [conflictExample],
  checkedPorts: 100,
  fullyProbedHosts: ['localhost'],
  durationMs: 7,
  checkedAt: '2026-01-31T12:05:00.000Z',
};

export const Audit = Type.Object(
  {
    id: Uuid,
    project: Nullable(ProjectName, { description: 'As was asked for; `null`: all that the caller could see.' }),
    host: Nullable(Type.String(HostFilter), { description: 'As was asked for; `null`: all.' }),
    unallocated: Type.Boolean({ description: 'As was asked for.' }),
    covers: Nullable(Type.Array(ProjectName), {
      description:
        'The projects whose findings it has, in alphabetical order; `null` for all. Of an audit without `project` by a key ' +
        'of some projects, these are the projects of the key.',
    }),
    requestedBy: Type.String({
      description: 'The name of the key that asked for it, `ADMIN_API_KEY`, `anonymous` or `schedule`.',
      examples: ['deploy-consilio'],
    }),
    ...figures,
    checkedAt: Type.String({ ...Timestamp, description: 'When it ended (RFC 3339, UTC).' }),
  },
  { $id: 'Audit', description: 'Where registry and reality differ.', examples: [auditExample] },
);
export type Audit = Static<typeof Audit>;

export const AuditPage = Page(Audit, {
  $id: 'AuditPage',
  description: 'A page of audits, newest first.',
  examples: [{ items: [auditExample], nextCursor: null }],
});

export const AuditQuery = Type.Object(
  {
    project: Type.Optional({ ...ProjectName, description: 'Those that were asked for this project.' }),
    host: Type.Optional(Type.String({ ...HostFilter, description: 'Those that were asked for this host.' })),
    covering: Type.Optional(
      Type.Boolean({
        default: false,
        description:
          'Instead those that cover `project` and `host`, whatever else they cover. Where one is left out: all projects ' +
          'that the caller sees, and all hosts.',
      }),
    ),
    ...PageQuery.properties,
  },
  { additionalProperties: false },
);
export type AuditQuery = Static<typeof AuditQuery>;

export const AuditParams = Type.Object({ id: Type.String({ ...Uuid, description: 'The id of the audit.' }) });

/** What an audit has found, before it is kept. */
const AuditFigures = Type.Object(figures);
export type AuditFigures = Static<typeof AuditFigures>;

/** The last audit of a project, for tools that answer something else. */
export const LastAudit = Type.Object({
  id: Uuid,
  checkedAt: Timestamp,
  ageSeconds: Count,
  health: Nullable(Type.Number(), { description: 'Of all that it covers.' }),
  conflicts: Type.Integer({ minimum: 0, description: 'Of this project and host.' }),
});
export type LastAudit = Static<typeof LastAudit>;
