import { type Static, Type } from '@sinclair/typebox';
import { HostFilter, Nullable, OneLine, Page, ProjectName, StringEnum, Timestamp, Uuid } from './common.js';

const MAX_PROJECTS = 100;
const MAX_NAMES = 100;

const KeyName = OneLine(100, 'Who or what has it; the log names it with every change.', ['deploy-consilio']);
const Role = StringEnum(['admin', 'project', 'reader'], {
  description:
    '`admin`: everything. `project`: everything within its `projects`, and reading of ranges. `reader`: reads ' +
    'everything and changes nothing, so neither audits nor probes.',
});
const Projects = Type.Array(ProjectName, {
  maxItems: MAX_PROJECTS,
  uniqueItems: true,
  description: 'What a `project` key covers, whether or not they have a range yet; empty for the other roles.',
});
const Hostnames = Nullable(
  Type.Array(
    Type.String({
      maxLength: 253,
      pattern: '^([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\\.)*[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$',
      'x-canonical': 'hostname',
      description: 'A name alone, without a wildcard; kept in lower case.',
      examples: ['shop.example'],
    }),
    { maxItems: MAX_NAMES },
  ),
  {
    description:
      'What a `project` key may set as `cloudflareHostname`: each of these and every name below it, wildcards included. ' +
      '`null` for any; empty for none.',
  },
);
const Hosts = Nullable(Type.Array(Type.String(HostFilter), { minItems: 1, maxItems: MAX_NAMES }), {
  description:
    'The hosts on which a `project` key may allocate, reserve and import ports, in the form in which hosts are ' +
    'stored. `null` for any.',
});
const CreatedBy = Type.String({
  description:
    'Who made it: the id of the key that did, or `ADMIN_API_KEY` for the one that the service is configured with. It ' +
    'stays when that key is revoked.',
});
const ExpiresAt = Nullable(Timestamp, { description: 'When it ends by itself (RFC 3339); `null` for never.' });

export const ApiKey = Type.Object(
  {
    id: Uuid,
    name: KeyName,
    role: Role,
    projects: Projects,
    hostnames: Hostnames,
    hosts: Hosts,
    createdBy: CreatedBy,
    createdAt: Timestamp,
    expiresAt: ExpiresAt,
    lastUsedAt: Nullable(Timestamp, { description: 'To within 10 seconds; `null` where it was never used.' }),
  },
  {
    $id: 'ApiKey',
    description: 'A key, without its secret.',
    examples: [
      {
        id: '3c0f6d5e-8a51-4d0e-9f0b-7a2f0f2c9d11',
        name: 'deploy-consilio',
        role: 'project',
        projects: ['consilio'],
        hostnames: ['consilio.example'],
        hosts: null,
        createdBy: 'ADMIN_API_KEY',
        createdAt: '2026-01-31T12:00:00.000Z',
        expiresAt: null,
        lastUsedAt: '2026-01-31T12:05:00.000Z',
      },
    ],
  },
);
export type ApiKey = Static<typeof ApiKey>;
export const ApiKeyPage = Page(ApiKey, {
  $id: 'ApiKeyPage',
  description: 'A page of keys, oldest first.',
  examples: [{ items: [ApiKey.examples[0]], nextCursor: null }],
});

export const NewApiKey = Type.Object(
  {
    name: KeyName,
    role: Role,
    projects: Type.Optional(Projects),
    hostnames: Type.Optional(Hostnames),
    hosts: Type.Optional(Hosts),
    expiresAt: Type.Optional(ExpiresAt),
  },
  {
    $id: 'NewApiKey',
    additionalProperties: false,
    description:
      'A key to make. A `project` key needs `projects`, and may be limited to `hostnames` and `hosts`; the others have none.',
    examples: [{ name: 'deploy-consilio', role: 'project', projects: ['consilio'] }],
  },
);
export type NewApiKey = Static<typeof NewApiKey>;

export const CreatedApiKey = Type.Object(
  {
    ...ApiKey.properties,
    key: Nullable(Type.String(), {
      description:
        'The secret, to send as `Authorization: Bearer <key>`. Shown this once and stored nowhere: `null` where an ' +
        '`Idempotency-Key` repeats an answer.',
    }),
  },
  {
    $id: 'CreatedApiKey',
    description: 'A key with its secret.',
    examples: [
      {
        ...ApiKey.examples[0],
        lastUsedAt: null,
        key: 'pa_3c0f6d5e8a514d0e9f0b7a2f0f2c9d11_Zm9yIHRoZSBjb250cmFjdCBvbmx5LCBubyBzZWNyZXQ',
      },
    ],
  },
);
export type CreatedApiKey = Static<typeof CreatedApiKey>;

export const Caller = Type.Object(
  {
    kind: StringEnum(['key', 'anonymous'], {
      description: '`key`: whoever has an API key. `anonymous`: no keys are in force, so that nobody is asked for one.',
    }),
    keyId: Nullable(Uuid, { description: 'The id of the API key; `null` for `ADMIN_API_KEY`, and without a key.' }),
    name: Nullable(Type.String(), {
      description: 'The name of the API key, or `ADMIN_API_KEY`; `null` without a key.',
    }),
    role: Role,
    projects: Nullable(Projects, {
      description: 'The projects that a `project` key covers, whether or not they have a range yet; `null` for all.',
    }),
    hostnames: Hostnames,
    hosts: Hosts,
    expiresAt: ExpiresAt,
  },
  {
    $id: 'Caller',
    description:
      'Who makes a request, and what limits it. Where no keys are in force everybody has the role `admin`, although there ' +
      'are no keys to manage.',
    examples: [
      {
        kind: 'key',
        keyId: '3c0f6d5e-8a51-4d0e-9f0b-7a2f0f2c9d11',
        name: 'deploy-consilio',
        role: 'project',
        projects: ['consilio'],
        hostnames: ['consilio.example'],
        hosts: null,
        expiresAt: null,
      },
    ],
  },
);

export const ApiKeyParams = Type.Object({ id: Type.String({ ...Uuid, description: 'The id of the key.' }) });
