import { type Static, Type } from '@sinclair/typebox';
import { AppError, type FieldError } from '../errors.js';
import { type AllocationKey, keyOf } from '../keys.js';
import { BODY_LIMIT_BYTES } from '../plugins/json.js';
import { KeyQuery } from '../schemas/allocation.js';
import { Cursor, EnvironmentName, Host, ProjectName, Protocol, ServiceName, Uuid } from '../schemas/common.js';
import { findUnstorable } from '../schemas/validation.js';

/** The key of a service's ports. */
export const Key = { project: ProjectName, service: ServiceName, ...KeyQuery.properties };

/** An allocation by its id, or all that a key holds. One flat object: some clients drop a tool with a union. */
export const IdOrKey = {
  id: Type.Optional({ ...Uuid, description: 'One allocation, instead of project and service.' }),
  project: Type.Optional(ProjectName),
  service: Type.Optional(ServiceName),
  // Without the schema's defaults, so that an id that comes with a part of a key can be told apart.
  environment: Type.Optional(withoutDefault(EnvironmentName, 'default')),
  host: Type.Optional(withoutDefault(Host, 'localhost')),
  protocol: Type.Optional(withoutDefault(Protocol, 'tcp')),
};

/** Short pages: an agent pays for every line it reads. */
export const ShortPage = {
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000, default: 25, description: 'Items on a page.' })),
  cursor: Type.Optional(Cursor),
};

type IdOrKeyInput = { [Name in keyof typeof IdOrKey]?: Static<(typeof IdOrKey)[Name]> | undefined };

/** @throws AppError validation-failed when it is neither an id alone nor a project with a service */
export function readIdOrKey(input: IdOrKeyInput): { id: string } | { key: AllocationKey } {
  const { id, project, service, environment, host, protocol } = input;
  if (id !== undefined) {
    const extra = Object.entries({ project, service, environment, host, protocol }).find(([, v]) => v !== undefined);
    if (extra)
      throw invalidInput({ pointer: `/${extra[0]}`, detail: 'cannot be given beside id, which is enough by itself' });
    return { id };
  }
  if (project === undefined) throw invalidInput({ pointer: '/project', detail: 'is required where no id is given' });
  if (service === undefined) throw invalidInput({ pointer: '/service', detail: 'is required where no id is given' });
  return { key: keyOf({ project, service }, input) };
}

/**
 * REST's rules for any body, before anything else looks at an input: other code may not bear how deep it is nested.
 * @throws AppError validation-failed, payload-too-large
 */
export function demandStorable(input: unknown): void {
  const unstorable = findUnstorable(input);
  if (unstorable) throw invalidInput(unstorable);
  if (Buffer.byteLength(JSON.stringify(input ?? {})) > BODY_LIMIT_BYTES) {
    throw new AppError('payload-too-large', `The input is larger than ${BODY_LIMIT_BYTES} bytes.`);
  }
}

/** A text result has no field for the pointer, so the sentence starts with it. */
export function invalidInput(error: FieldError): AppError {
  return new AppError('validation-failed', `${error.pointer} ${error.detail}`.trim(), { errors: [error] });
}

function withoutDefault<T extends { description?: string; default?: unknown }>(schema: T, value: string): T {
  const { default: _, ...rest } = schema;
  return { ...rest, description: `${schema.description} Left out: ${value}.` } as T;
}
