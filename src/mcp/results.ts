import type { CallToolResult } from '@modelcontextprotocol/server';
import type { Redact } from '../access/redact.js';
import { toRefusal } from '../database/errors.js';
import { nextStepOf } from '../errors.js';
import { withoutSuggestedKeys } from '../input/findings.js';
import { makeTextVisible, makeVisible } from '../input/visible.js';
import { nextSteps } from './next-steps.js';
import type { Answer } from './tool.js';

export interface ToolLog {
  info(data: object, message: string): void;
  error(data: object, message: string): void;
  warn(data: object, message: string): void;
}

/**
 * Gives the answer as text, for the model, and as structured content, for programs. A model may read either, and neither
 * tells it anything that a person does not see. Emoji and joiners of letters stay as they are, so that a description that
 * an agent writes back unchanged keeps them. Other unseen characters are written out (`\u{202e}`), and are stored so if an
 * agent writes them back.
 */
export function succeed({ text, content }: Answer): CallToolResult {
  const structuredContent = mapTexts(content, makeTextVisible) as Record<string, unknown>;
  return { content: [{ type: 'text', text: makeTextVisible(text) }], structuredContent };
}

/** Maps every text in a value of JSON, names of fields included. */
function mapTexts(value: unknown, map: (text: string) => string): unknown {
  if (typeof value === 'string') return map(value);
  if (Array.isArray(value)) return value.map((item) => mapTexts(item, map));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [map(name), mapTexts(item, map)]));
}

/** Tells a model what it needs to go on: the code of the refusal, what stands in the way, and the next step. */
export function refuse(error: unknown, requestId: string, log: ToolLog, redact: Redact): CallToolResult {
  const refusal = toRefusal(error);
  const { code, status, cause } = refusal;
  const { message, extras } = withoutSuggestedKeys(refusal, redact);
  const logged = { err: cause ?? error, code, requestId };
  if (status === 500) log.error(logged, 'Unexpected error');
  else if (status === 503) log.warn(logged, 'Not served');
  const next = nextStepOf(nextSteps, code, { ...extras, requestId });
  const lines = [`${code}: ${message}`, `Next: ${next}`].map((line) => makeVisible(redact(line)));
  return { content: [{ type: 'text', text: lines.join('\n') }], isError: true };
}
