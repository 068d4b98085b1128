import { type Static, type TProperties, type TSchema, Type } from '@sinclair/typebox';
import { NAME_PATTERN } from '../input/slug.js';

/**
 * A string schema with `enum`. TypeBox's own union is an `anyOf` of constants, of which SDK generators make no enum.
 */
export function StringEnum<const T extends string>(values: readonly T[], options: object = {}) {
  return Type.Unsafe<T>({ type: 'string', enum: [...values], ...options });
}

/** The schema or null, as a list of types (JSON Schema 2020-12). The schema's own keywords stay beside it. */
export function Nullable<T extends TSchema>(schema: T, options: object = {}) {
  const nullable = schema.enum ? { enum: [...schema.enum, null] } : {};
  return Type.Unsafe<Static<T> | null>({ ...schema, ...nullable, type: [schema.type, 'null'], ...options });
}

/** A component or null, for objects that have a name in the contract. */
export function NullableRef<T extends TSchema>(schema: T) {
  return Type.Unsafe<Static<T> | null>(Type.Union([Type.Ref(schema.$id as string), Type.Null()]));
}

/** A reference to a component by its name in the contract. */
export function Ref<T extends TSchema>(schema: T) {
  return Type.Unsafe<Static<T>>(Type.Ref(schema.$id as string));
}

const NAME_RULE = 'Lower-case letters, digits, dot, underscore and hyphen; 1 to 63 characters.';

export const ProjectName = Type.String({
  pattern: NAME_PATTERN,
  description: `A project. ${NAME_RULE}`,
  examples: ['consilio'],
});
export const ServiceName = Type.String({
  pattern: NAME_PATTERN,
  description: `A service of the project. ${NAME_RULE}`,
  examples: ['api'],
});
export const EnvironmentName = Type.String({
  pattern: NAME_PATTERN,
  default: 'default',
  description: `One copy of the stack: a stage, a branch, a worktree. ${NAME_RULE}`,
  examples: ['default'],
});
/** An absolute path: POSIX, or Windows with a drive or a share. */
export const FolderPath = Type.String({
  minLength: 1,
  maxLength: 4096,
  pattern: '^(/|[A-Za-z]:[\\\\/]|\\\\\\\\)[^\\u0000-\\u001f\\u007f-\\u009f]*$',
  description:
    'The folder that this copy of the stack lives in: an absolute path, compared exactly. No control characters.',
  examples: ['/home/kim/consilio-feature-x'],
});
export const CreateProject = Type.Boolean({
  default: false,
  description:
    'Whether to give the project a first range if it has none, as `PUT /v1/projects/{project}` does. It is kept only if ' +
    'this call succeeds.',
});
export const HostFilter = Type.String({
  minLength: 1,
  maxLength: 254,
  'x-canonical': 'host',
  examples: ['localhost'],
});
export const Host = Type.String({
  ...HostFilter,
  default: 'localhost',
  description:
    'Where the port is used. Stored in one form: lower case, no trailing dot, addresses canonical, loopback and wildcard addresses as `localhost`.',
});
export const Protocol = StringEnum(['tcp', 'udp'], {
  default: 'tcp',
  description: 'Each host and protocol is a port space of its own.',
});
export const PortNumber = Type.Integer({
  minimum: 1,
  maximum: 65535,
  description: 'A port number.',
  examples: [3100],
});
export const Uuid = Type.String({
  format: 'uuid',
  // `format` alone also accepts `urn:uuid:…`, the other notation of RFC 9562, which this service does not use.
  pattern: '^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$',
  'x-canonical': 'uuid',
  examples: ['0b4e1d1e-6d3c-4a8f-9d55-0f7f6a3f2c11'],
});
export const Timestamp = Type.String({
  format: 'date-time',
  'x-canonical': 'time',
  description: 'RFC 3339, UTC.',
  examples: ['2026-01-31T12:00:00.000Z'],
});
export const Count = Type.Integer({ minimum: 0 });

/** A text of one line without control characters (C0, DEL, C1). */
export function OneLine(maxLength: number, description: string, examples: string[] = []) {
  return Type.String({
    minLength: 1,
    maxLength,
    pattern: '^[^\\u0000-\\u001f\\u007f-\\u009f]*$',
    description: `${description} One line, without control characters.`,
    examples,
  });
}

export const Limit = Type.Integer({
  minimum: 1,
  maximum: 1000,
  default: 100,
  description: 'At most so many items on a page. A page also ends at about 1 MiB.',
});
export const Cursor = Type.String({
  maxLength: 1024,
  description: 'Where to go on: the `nextCursor` of the page before.',
});
export const PageQuery = Type.Object(
  { limit: Type.Optional(Limit), cursor: Type.Optional(Cursor) },
  { additionalProperties: false },
);
export type PageQuery = Static<typeof PageQuery>;

/** The port space that a query is about. */
export const SpaceQuery = Type.Object(
  { host: Type.Optional(Host), protocol: Type.Optional(Protocol) },
  { additionalProperties: false },
);

/** @param more properties besides those that all pages have */
export function Page<T extends TSchema, More extends TProperties = Record<never, never>>(
  item: T,
  options: { $id: string; description: string; examples: object[] },
  more: More = {} as More,
) {
  return Type.Object(
    {
      items: Type.Array(Ref(item)),
      nextCursor: Type.Union([Type.String(), Type.Null()], {
        description: 'Pass it as `cursor` for the next page; `null` on the last one.',
      }),
      ...more,
    },
    options,
  );
}

export function Items<T extends TSchema>(item: T, options: { $id: string; description: string; examples: object[] }) {
  return Type.Object({ items: Type.Array(Ref(item)) }, options);
}

export const IdempotencyHeaders = Type.Object({
  'idempotency-key': Type.Optional(
    Type.String({
      minLength: 1,
      maxLength: 255,
      pattern: '^[\\x21-\\x7e]+$',
      description: 'A retry with the same key and request gets the first answer back, for 24 hours.',
      examples: ['6f1c2a34-deploy-42'],
    }),
  ),
});
