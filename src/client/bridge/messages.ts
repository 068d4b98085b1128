import { nameClient } from '../../input/client-name.js';

/** A message of JSON-RPC 2.0, as far as the bridge reads it. */
export interface Message {
  jsonrpc?: string;
  id?: string | number | null;
  method?: string;
  params?: { [name: string]: unknown };
  /** Of an answer. */
  result?: Result;
}

export type Result = { [name: string]: unknown };

/** Errors of JSON-RPC 2.0. */
const PARSE_ERROR = -32700;
/** The first of those that are for the server to define. */
const SERVER_ERROR = -32000;

/** By method, the field of `params` that goes along as `Mcp-Name` (MCP 2026-07-28, Streamable HTTP). */
const NAME_FIELDS: { [method: string]: string } = {
  'tools/call': 'name',
  'prompts/get': 'name',
  'resources/read': 'uri',
  'tasks/get': 'taskId',
  'tasks/update': 'taskId',
  'tasks/cancel': 'taskId',
};
const VERSION_IN_META = 'io.modelcontextprotocol/protocolVersion';
const CLIENT_IN_META = 'io.modelcontextprotocol/clientInfo';

/** @returns null if the line is no JSON; what can be read of JSON that is no message, which the service refuses */
export function parseMessage(line: string): Message | null {
  try {
    const value = JSON.parse(line);
    if (typeof value !== 'object' || value === null || Array.isArray(value) || !isId(value.id)) return {};
    return ['string', 'undefined'].includes(typeof value.method) ? value : { id: value.id };
  } catch {
    return null;
  }
}

const isId = (id: unknown): boolean => id == null || typeof id === 'string' || typeof id === 'number';

/** Whether a text is a message of the protocol, and not the JSON of another program. */
export const isMessage = (text: string): boolean => parseMessage(text)?.jsonrpc === '2.0';

/**
 * The headers that go along with a message.
 * @param negotiated the revision that `initialize` has agreed on, or null
 */
export function headersOf({ method, params }: Message, negotiated: string | null): Record<string, string> {
  const meta = params?._meta as { [name: string]: unknown } | undefined;
  const ofRequest = meta?.[VERSION_IN_META];
  if (typeof ofRequest !== 'string') {
    return negotiated === null || method === 'initialize' ? {} : { 'mcp-protocol-version': negotiated };
  }
  const name = params?.[NAME_FIELDS[method ?? ''] ?? ''];
  return {
    'mcp-protocol-version': toHeader(ofRequest),
    ...(typeof method === 'string' && { 'mcp-method': toHeader(method) }),
    ...(typeof name === 'string' && { 'mcp-name': toHeader(name) }),
  };
}

/** What the client calls itself, as a header can have it; null if the message does not say. */
export function clientOf({ method, params }: Message): string | null {
  const meta = params?._meta as { [name: string]: unknown } | undefined;
  const name = nameClient(method === 'initialize' ? params?.clientInfo : meta?.[CLIENT_IN_META]);
  return name?.replace(/[^\x20-\x7e]/g, '?').slice(0, 200) ?? null;
}

/** As the protocol encodes a text that a header cannot have. */
function toHeader(text: string): string {
  const isPlain = /^[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?$/.test(text) && !/^=\?base64\?.*\?=$/.test(text);
  return isPlain ? text : `=?base64?${Buffer.from(text).toString('base64')}?=`;
}

export function errorLine(id: Message['id'], message: string, data?: object): string {
  return JSON.stringify({
    jsonrpc: '2.0',
    id: id ?? null,
    error: { code: SERVER_ERROR, message, ...(data && { data }) },
  });
}

/** A refusal as a tool gives it, which reaches the model. An error of the protocol may be shown to the user alone. */
export function toolRefusal(id: Message['id'], text: string, isCurrent: boolean): string {
  const result = { ...(isCurrent && { resultType: 'complete' }), content: [{ type: 'text', text }], isError: true };
  return JSON.stringify({ jsonrpc: '2.0', id: id ?? null, result });
}

export const request = (id: string, method: string): string => JSON.stringify({ jsonrpc: '2.0', id, method });

/** Whether a message is of the revision 2026-07-28 or later, in which each request says so itself. */
export const isCurrent = ({ params }: Message): boolean =>
  typeof (params?._meta as { [name: string]: unknown } | undefined)?.[VERSION_IN_META] === 'string';

export const notJson = (): string =>
  JSON.stringify({ jsonrpc: '2.0', id: null, error: { code: PARSE_ERROR, message: 'The line is no JSON.' } });

/**
 * A message of the service as a line.
 * @param id of the request that it answers. A refusal of a message that the service has not read as far as its id has none.
 */
export function toLine(text: string, id?: Message['id']): string {
  if (id == null && !text.includes('\n')) return text;
  const message = JSON.parse(text);
  if (id != null && 'error' in message && message.id == null) message.id = id;
  return JSON.stringify(message);
}
