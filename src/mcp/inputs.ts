import { type Static, type TObject, type TSchema, Type } from '@sinclair/typebox';
import { AppError, type FieldError } from '../errors.js';
import { findExcess, findRepeatedName } from '../input/json.js';
import { Cursor, FolderPath, Host, HostFilter, ProjectName, Protocol, ServiceName, Uuid } from '../schemas/common.js';
import { BODY_BOUNDS, BODY_LIMIT_BYTES, findUnstorable } from '../schemas/validation.js';

/**
 * A field of REST as a tool takes it, by the same rules. It is described only where its name does not say enough: all
 * that is said of the tools stands in the context of every agent, whether it needs a port or not.
 */
export function brief<T extends TSchema>(schema: T, description?: string): T {
  const { description: _, ...rules } = schema;
  return { ...rules, ...(description !== undefined && { description }) } as T;
}

/** Any text, such as the name of a branch: it becomes a name by the slug rule. */
export const environmentField = (description: string) =>
  Type.Optional(Type.String({ minLength: 1, maxLength: 1000, description }));

const Cwd = brief(FolderPath, 'The absolute path you work in: tells project and environment.');

/**
 * Which copy of which project: by name, or by the folder that the agent works in. What is named counts first.
 */
export const PlaceFields = {
  project: Type.Optional(brief(ProjectName, 'Not needed beside cwd.')),
  environment: environmentField('Copy of the stack, such as a branch. Else that of cwd, or default.'),
  cwd: Type.Optional(Cwd),
};
/** The project alone. */
export const ProjectFields = {
  project: PlaceFields.project,
  cwd: Type.Optional(brief(FolderPath, 'The absolute path you work in.')),
};

export const CreateProject = Type.Optional(Type.Boolean({ description: 'True if you name one that is new.' }));

/** Of an input that takes no other fields than those that it names. */
export const CLOSED = { additionalProperties: false };

/** The port space. Nothing is filled in, so that a tool can tell what was given. */
export const Space = {
  host: Type.Optional(withoutDefault(brief(Host, 'Else localhost.'))),
  protocol: Type.Optional(withoutDefault(brief(Protocol))),
};
export const HostToFind = Type.Optional(brief(HostFilter));

/** The inputs that name one allocation by its id, or all allocations of a service in one environment and port space. */
export const IdOrService = {
  id: Type.Optional(brief(Uuid, 'Of one port, instead of a service.')),
  service: Type.Optional(brief(ServiceName)),
  ...PlaceFields,
  ...Space,
};

/** Without the fields that are undefined. */
export function omitUndefined<T extends object>(fields: T): { [Name in keyof T]?: Exclude<T[Name], undefined> } {
  const given = Object.entries(fields).filter(([, value]) => value !== undefined);
  return Object.fromEntries(given) as { [Name in keyof T]?: Exclude<T[Name], undefined> };
}

/** A page of a tool has fewer bytes than one of REST, since everything that an agent reads takes room in its context. */
export const TOOL_PAGE_BYTES = 256 * 1024;

/** Pages of 25 items unless the agent asks for more, for the same reason. */
export const ShortPage = {
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000, default: 25 })),
  cursor: Type.Optional(brief(Cursor)),
};

export type IdOrServiceInput = { [Name in keyof typeof IdOrService]?: Static<(typeof IdOrService)[Name]> | undefined };

/** @throws AppError validation-failed if the input is neither an id alone nor a service */
export function readIdOrService(input: IdOrServiceInput): { id: string } | { service: string } {
  const { id, service, ...others } = input;
  if (id !== undefined) {
    const [extra] = Object.entries({ service, ...others }).find(([, value]) => value !== undefined) ?? [];
    if (extra)
      throw invalidInput({ pointer: `/${extra}`, detail: 'cannot be given beside id, which is enough by itself' });
    return { id };
  }
  if (service === undefined) throw invalidInput({ pointer: '/service', detail: 'is required where no id is given' });
  return { service };
}

/** Marks a field that agents send as JSON in a text, since clients refuse an object with fields of any name. */
const JSON_TEXT = 'x-json-text';

export function asJsonText<T extends TSchema>(schema: T, description: string): T {
  return { ...brief(schema, description), [JSON_TEXT]: true };
}

export const isJsonText = (schema: TSchema | undefined): boolean => schema?.[JSON_TEXT] === true;

/**
 * An input without the fields that are null, in the items of its lists too. Clients in OpenAI's strict mode fill in null
 * for every field that the model leaves out, so to a tool null is the same as absent, and can take nothing away.
 */
export function omitNullsDeep(input: object): Record<string, unknown> {
  const isObject = (value: unknown) => typeof value === 'object' && value !== null && !Array.isArray(value);
  const clean = (value: unknown) =>
    Array.isArray(value) ? value.map((item) => (isObject(item) ? omitNullsDeep(item) : item)) : value;
  return Object.fromEntries(
    Object.entries(input).flatMap(([name, value]) => (value === null ? [] : [[name, clean(value)]])),
  );
}

/**
 * Reads the fields that are sent as JSON in a text.
 * @throws AppError validation-failed
 */
export function parseJsonTexts(input: Record<string, unknown>, schema: TObject): Record<string, unknown> {
  const isText = (name: string, value: unknown): value is string =>
    typeof value === 'string' && isJsonText(schema.properties[name]);
  return Object.fromEntries(
    Object.entries(input).map(([name, value]) => [name, isText(name, value) ? parseJsonText(name, value) : value]),
  );
}

function parseJsonText(name: string, text: string): unknown {
  const refuse = (detail: string) => invalidInput({ pointer: `/${name}`, detail });
  const excess = findExcess(text, BODY_BOUNDS);
  if (excess !== null) throw refuse(excess);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw refuse('is a text that is not JSON');
  }
  if (value === null) throw refuse('is null: leave it out, or clear it');
  const repeated = findRepeatedName(text, value);
  if (repeated !== null) throw invalidInput({ ...repeated, pointer: `/${name}${repeated.pointer}` });
  return value;
}

/**
 * Applies REST's rules for every body to an input. Call this before anything else uses the input: JSON that is nested
 * too deeply could overflow the stack there.
 * @throws AppError validation-failed, payload-too-large
 */
export function requireStorable(input: unknown): void {
  const unstorable = findUnstorable(input);
  if (unstorable) throw invalidInput(unstorable);
  if (Buffer.byteLength(JSON.stringify(input ?? {})) > BODY_LIMIT_BYTES) {
    throw new AppError('payload-too-large', `The input is larger than ${BODY_LIMIT_BYTES} bytes.`);
  }
}

/** Begins the message with the pointer, because a tool's text result has no field for it. */
export function invalidInput(error: FieldError): AppError {
  return new AppError('validation-failed', `${error.pointer} ${error.detail}`.trim(), { errors: [error] });
}

export function withoutDefault<T extends TSchema>(schema: T): T {
  const { default: _, ...rest } = schema;
  return rest as T;
}
