import type { Static, TObject, TSchema } from '@sinclair/typebox';
import { type Caller, callerId } from '../access/caller.js';
import type { Session } from '../registry/session.js';
import { hashRequest, type IdempotencyKey } from '../repositories/idempotency-keys.js';
import type { Auditor } from '../services/auditor.js';

/** What one call of a tool works with. */
export interface ToolContext {
  /** The registry as far as the call's caller may use it. */
  session: Session;
  auditor: Auditor;
  /** The cooldown that a new range gets. */
  reuseCooldownSeconds: number;
}

/** One call of a tool, before anything in it has been checked. */
export interface ToolRequest {
  name: string;
  input: unknown;
  /** Given by a process that may have to repeat the call; null where nobody does. */
  idempotencyKey: string | null;
  requestId: string;
  signal: AbortSignal;
}
/** The same, by a caller who is known. */
export interface ToolCall extends ToolRequest {
  caller: Caller;
}
/** The same, by whoever has the key; null where none was given. */
export interface KeyedRequest extends ToolRequest {
  apiKey: string | null;
}

/**
 * Whether a call whose outcome is unknown may be made again: always; or only with an idempotency key, which
 * the tool then has to honour; or by id alone, because a key may have got a new port in between; or never, because it
 * would undo what someone else was told is done.
 */
export type Repeatable = 'always' | 'with-key' | 'by-id' | 'never';

export interface Tool<Input extends TObject = TObject, Output extends TSchema = TSchema> {
  /** `{action}-{noun}`. */
  name: string;
  title: string;
  /** When to use it and when not, for a model that reads nothing else. */
  description: string;
  /** The operations of the REST contract that it does, by `operationId`. */
  operations: string[];
  input: Input;
  output: Output;
  annotations: { readOnlyHint: boolean; destructiveHint: boolean; idempotentHint: boolean; openWorldHint: boolean };
  repeatable: Repeatable;
  /** @throws AppError a refusal */
  execute(context: ToolContext, input: Static<Input>, call: ToolCall): Promise<Static<Output>>;
}

/** Types `execute` by the schemas. */
export function defineTool<Input extends TObject, Output extends TSchema>(tool: Tool<Input, Output>): Tool {
  return tool as unknown as Tool;
}

/** Nothing beyond the registry and its own hosts is touched: no tool has an open world. */
export const READS = { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: false };

/** The idempotency key of a call that a process may have to repeat; null where nobody repeats it. */
export function idempotencyOf({ name, idempotencyKey, caller }: ToolCall, input: unknown): IdempotencyKey | null {
  if (idempotencyKey === null) return null;
  return { caller: callerId(caller), key: idempotencyKey, requestHash: hashRequest(`MCP ${name}`, input) };
}
