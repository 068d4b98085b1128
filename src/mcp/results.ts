import type { CallToolResult } from '@modelcontextprotocol/server';
import { toRefusal } from '../database/errors.js';
import { nextStepOf } from '../errors.js';
import { nextSteps } from './next-steps.js';

export interface ToolLog {
  info(data: object, message: string): void;
  error(data: object, message: string): void;
  warn(data: object, message: string): void;
}

/** Gives the answer twice: as structured content for programs, and as text for clients that show only text. */
export function succeed(answer: Record<string, unknown>): CallToolResult {
  return { content: [{ type: 'text', text: JSON.stringify(answer) }], structuredContent: answer };
}

/** Tells a model what it needs to go on: the code of the refusal, what stands in the way, and the next step. */
export function refuse(error: unknown, requestId: string, log: ToolLog): CallToolResult {
  const { code, status, extras, message, cause } = toRefusal(error);
  const logged = { err: cause ?? error, code, requestId };
  if (status === 500) log.error(logged, 'Unexpected error');
  else if (status === 503) log.warn(logged, 'Not served');
  const next = nextStepOf(nextSteps, code, { ...extras, requestId });
  return { content: [{ type: 'text', text: `${code}: ${message}\nNext: ${next}` }], isError: true };
}
