import { type Static, Type } from '@sinclair/typebox';
import { Nullable, Ref, StringEnum, Timestamp } from '../common.js';

const Hostname = Type.String({ description: 'The hostname that it is about.', examples: ['shop.example.com'] });
const tunnelId = 'f70ff985-a4ef-4643-bbbc-4a0ed4fc8415';

const changeExample = {
  action: 'create',
  kind: 'rule',
  hostname: 'shop.example.com',
  before: null,
  after: 'http://localhost:3100',
};

export const CloudflareChange = Type.Object(
  {
    action: StringEnum(['create', 'update', 'delete', 'move'], {
      description: '`move`: the rule has to stand at another place.',
    }),
    kind: StringEnum(['rule', 'record'], {
      description: '`rule`: of the tunnel, for incoming requests. `record`: of the DNS zone.',
    }),
    hostname: Hostname,
    before: Nullable(Type.String(), { description: 'Where it leads now; `null` if there is none.' }),
    after: Nullable(Type.String(), { description: 'Where it leads afterwards; `null` if there is none.' }),
  },
  { $id: 'CloudflareChange', description: 'One change that is made in Cloudflare.', examples: [changeExample] },
);
export type CloudflareChange = Static<typeof CloudflareChange>;

const conflictExample = {
  kind: 'record-of-others',
  hostname: 'www.example.com',
  detail: 'There is a A record for it (192.0.2.1) that is not as the registry makes them; delete that one.',
};

export const CloudflareConflict = Type.Object(
  {
    kind: StringEnum(
      [
        'claimed-twice',
        'outside-zones',
        'rule-of-others',
        'record-of-others',
        'unknown-record',
        'shadowed',
        'refused',
        'overwritten',
      ],
      {
        description:
          '`claimed-twice`: several allocations have the hostname, and the oldest of the project that had it first is ' +
          'routed. `outside-zones`: in no zone of `CLOUDFLARE_ZONES`. `rule-of-others`, `record-of-others`: somebody else ' +
          'made or changed it. `unknown-record`: has the mark of a registry, and this one did not make it. `shadowed`: a ' +
          'rule of somebody else takes its requests. `refused`: Cloudflare did not accept the record. `overwritten`: ' +
          'somebody changed the tunnel at the same moment, and that change may be lost.',
      },
    ),
    hostname: Type.String({ description: 'The hostname that it is about; empty for the tunnel as a whole.' }),
    detail: Type.String({ description: 'What stands in the way, and what to do.' }),
  },
  {
    $id: 'CloudflareConflict',
    description: 'Something in Cloudflare that is not as the registry has it, and is not touched.',
    examples: [conflictExample],
  },
);
export type CloudflareConflict = Static<typeof CloudflareConflict>;

export const CloudflarePlan = Type.Object(
  {
    tunnelId: Type.String(),
    changes: Type.Array(Ref(CloudflareChange), { description: 'In the order in which they are made.' }),
    conflicts: Type.Array(Ref(CloudflareConflict), { description: 'What is not touched.' }),
  },
  {
    $id: 'CloudflarePlan',
    description: 'The changes that bring the tunnel and its DNS records in step with the registry.',
    examples: [{ tunnelId, changes: [changeExample], conflicts: [conflictExample] }],
  },
);
export type CloudflarePlan = Static<typeof CloudflarePlan>;

export const CloudflareStatus = Type.Object(
  {
    configured: Type.Boolean({ description: 'Whether a tunnel is kept in step with the registry.' }),
    tunnelId: Nullable(Type.String()),
    zones: Type.Array(Type.String(), { description: 'The names of the DNS zones.' }),
    followingSince: Nullable(Timestamp, {
      description:
        'When the plan was applied for the first time; `null`: not yet. From then on passes are made also unasked.',
    }),
    nextStep: Nullable(Type.String(), { description: 'What to do before the tunnel follows; `null` if it does.' }),
    lastSuccessAt: Nullable(Timestamp, { description: 'When the tunnel was last in step; `null`: never yet.' }),
    lastError: Nullable(Type.String(), { description: 'Why the last attempt failed; `null` if it did not.' }),
    lastErrorAt: Nullable(Timestamp),
    nextAttemptAt: Nullable(Timestamp, {
      description: 'After a failure, or where Cloudflare asked for a pause: no pass is made unasked before.',
    }),
    pendingChanges: Nullable(Type.Integer(), { description: 'How many changes the last attempt has left to be made.' }),
    conflicts: Nullable(Type.Integer(), { description: 'How many conflicts the last attempt has found.' }),
  },
  {
    $id: 'CloudflareStatus',
    description: 'How the Cloudflare tunnel follows the registry.',
    examples: [
      {
        configured: true,
        tunnelId,
        zones: ['example.com'],
        followingSince: '2026-01-31T12:00:00.000Z',
        nextStep: null,
        lastSuccessAt: '2026-01-31T12:05:00.000Z',
        lastError: null,
        lastErrorAt: null,
        nextAttemptAt: null,
        pendingChanges: 0,
        conflicts: 1,
      },
    ],
  },
);
export type CloudflareStatus = Static<typeof CloudflareStatus>;
