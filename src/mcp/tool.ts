import type { Static, TObject } from '@sinclair/typebox';
import { type Caller, callerId } from '../access/caller.js';
import type { FirstRange } from '../allocator/new-range.js';
import type { ToldFolder } from '../detection/agents-folder.js';
import { AppError } from '../errors.js';
import type { Session } from '../registry/session.js';
import { hashRequest, type IdempotencyKey } from '../repositories/idempotency-keys.js';
import type { Auditor } from '../services/audits/audit.js';
import type { LocalListeners } from '../services/listeners/local-listeners.js';
import type { ListenerWarnings } from '../services/listeners/warnings.js';
import type { ReadFolder } from './folder.js';

/** What a tool uses to execute one call. */
export interface ToolContext {
  /** The registry as the caller may use it. */
  session: Session;
  auditor: Auditor;
  listeners: LocalListeners;
  listenerWarnings: ListenerWarnings;
  /** What a project gets if it has no range, where the call may create it. */
  firstRange: FirstRange;
  readFolder: ReadFolder;
}

/** What a tool answers: in a few words, and the same for programs. */
export interface Answer {
  text: string;
  content: Record<string, unknown>;
}

/** One call of a tool. Neither its name nor its input has been checked. */
export interface ToolRequest {
  name: string;
  input: unknown;
  /** Given by a client that may repeat the call if it gets no answer. Null if there is none. */
  idempotencyKey: string | null;
  /** Whether the client has sent this call before, and does not know whether it was executed. */
  isRepeated: boolean;
  /** What the agent's folder belongs to, as its bridge has worked it out. Null if there is no bridge, or no folder. */
  folder: ToldFolder | null;
  /** Whether the agent is on this machine, and may have its folder read here. */
  isLocal: boolean;
  /** What the client calls itself; null if it does not say. */
  client: string | null;
  requestId: string;
  signal: AbortSignal;
}
/** A call whose caller is known. */
export interface ToolCall extends ToolRequest {
  caller: Caller;
}

/**
 * Whether a call may be repeated if nobody knows whether it was executed.
 * `always`: yes.
 * `with-key`: only with an idempotency key, which the tool then has to honour.
 * `by-id`: only if it names an allocation by id. A service that is named by its key may have got a new port in between,
 * which the repeated call would then release.
 * `never`: no, because somebody else may have made a change in between, which the repeated call would undo, or may have
 * got a port, which it would release.
 */
export type Repeatable = 'always' | 'with-key' | 'by-id' | 'never';

export interface Tool<Input extends TObject = TObject> {
  /** `{action}-{noun}`. */
  name: string;
  /** When to use it and when not, for a model that reads nothing else. */
  description: string;
  /** The operations of the REST contract that the tool can be used for, by `operationId`. */
  operations: string[];
  input: Input;
  /** Only where it is short, because few clients read it. */
  output?: TObject;
  annotations: { readOnlyHint: boolean; destructiveHint: boolean; idempotentHint: boolean; openWorldHint: boolean };
  repeatable: Repeatable;
  /** @throws AppError if the call is refused */
  execute(context: ToolContext, input: Static<Input>, call: ToolCall): Promise<Answer>;
}

/** Declares a tool. The compiler checks `execute` against the input schema. */
export function defineTool<Input extends TObject>(tool: Tool<Input>): Tool {
  return tool as unknown as Tool;
}

/**
 * The hints of a tool that only reads. No tool has an open world: none reaches anything but the registry and its hosts.
 */
export const READS = { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: false };
/** Those of a tool that adds, and takes nothing away. */
export const ADDS = { readOnlyHint: false, destructiveHint: false, idempotentHint: false, openWorldHint: false };
/** The same for one that can be called again. */
export const ENSURES = { ...ADDS, idempotentHint: true };
/** Those of a tool that takes something away or replaces it, and can be called again. */
export const REMOVES = { ...ENSURES, destructiveHint: true };

/**
 * Refuses a call that was sent before, if executing it a second time could do harm.
 * @throws AppError database-unavailable
 */
export function requireRepeatable({ repeatable }: Tool, { isRepeated, idempotencyKey, input }: ToolCall): void {
  if (!isRepeated || repeatable === 'always') return;
  if (repeatable === 'with-key' && idempotencyKey !== null) return;
  if (repeatable === 'by-id' && (input as { id?: unknown } | undefined)?.id !== undefined) return;
  throw new AppError(
    'database-unavailable',
    'The service ended before it had answered this call, and whether it did what was asked is not known.',
    { retryAfter: 1, isOutcomeUnknown: true },
  );
}

/** The idempotency key of a call that its client may repeat. Null if there is none. */
export function idempotencyOf({ name, idempotencyKey, caller }: ToolCall, input: unknown): IdempotencyKey | null {
  if (idempotencyKey === null) return null;
  return { caller: callerId(caller), key: idempotencyKey, requestHash: hashRequest(`MCP ${name}`, input) };
}
