import { type Static, Type } from '@sinclair/typebox';
import { AppError, type FieldError } from '../errors.js';
import { type AllocationKey, keyOf } from '../keys.js';
import { KeyQuery } from '../schemas/allocation.js';
import { Cursor, EnvironmentName, Host, ProjectName, Protocol, ServiceName, Uuid } from '../schemas/common.js';
import { BODY_LIMIT_BYTES, findUnstorable } from '../schemas/validation.js';

/** The inputs that name the ports of a service. */
export const Key = { project: ProjectName, service: ServiceName, ...KeyQuery.properties };

/**
 * The inputs that name one allocation by its id, or all allocations of a key. They form one flat object, because some
 * clients leave out a tool whose input is a union.
 */
export const IdOrKey = {
  id: Type.Optional({ ...Uuid, description: 'One allocation, instead of project and service.' }),
  project: Type.Optional(ProjectName),
  service: Type.Optional(ServiceName),
  // Without defaults, so that an input which has an id and also a part of a key can be refused.
  environment: Type.Optional(withoutDefault(EnvironmentName, 'default')),
  host: Type.Optional(withoutDefault(Host, 'localhost')),
  protocol: Type.Optional(withoutDefault(Protocol, 'tcp')),
};

/**
 * A page of a tool has fewer bytes than one of REST: its JSON goes out twice, once of these as a text in which every
 * quotation mark is escaped, and everything that an agent reads takes room in its context.
 */
export const TOOL_PAGE_BYTES = 256 * 1024;

/** Pages of 25 items unless the agent asks for more, for the same reason. */
export const ShortPage = {
  limit: Type.Optional(
    Type.Integer({
      minimum: 1,
      maximum: 1000,
      default: 25,
      description: 'At most so many items on a page. A page also ends at about 256 KiB.',
    }),
  ),
  cursor: Type.Optional(Cursor),
};

type IdOrKeyInput = { [Name in keyof typeof IdOrKey]?: Static<(typeof IdOrKey)[Name]> | undefined };

/** @throws AppError validation-failed if the input is neither an id alone nor a project with a service */
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

function withoutDefault<T extends { description?: string; default?: unknown }>(schema: T, value: string): T {
  const { default: _, ...rest } = schema;
  return { ...rest, description: `${schema.description} Left out: ${value}.` } as T;
}
