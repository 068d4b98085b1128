import {
  type CallToolResult,
  McpServer,
  ProtocolError,
  ProtocolErrorCode,
  type Tool as PublishedTool,
} from '@modelcontextprotocol/server';
import type { Redact } from '../access/redact.js';
import { makeVisible } from '../input/visible.js';
import { version } from '../package-root.js';
import { toPlainOutputSchema, toPlainSchema } from './plain-schema.js';
import type { ToolRequest } from './tool.js';
import { findTool, tools } from './tools.js';

/** Of the name of a tool that does not exist. No tool's is as long. */
const MAX_QUOTED_LENGTH = 100;
const INSTRUCTIONS =
  'Hands out ports from one registry for this machine or team, so that services never collide. Never choose a port ' +
  'yourself: call get-port with the project and the service, and use what it answers.';

const published: PublishedTool[] = tools.map(({ name, title, description, input, output, annotations }) => ({
  name,
  title,
  description,
  inputSchema: toPlainSchema(input),
  outputSchema: toPlainOutputSchema(output),
  annotations,
}));

/** What a client sends beside a call, as headers of its request. */
export type CallHeaders = Pick<ToolRequest, 'idempotencyKey' | 'isRepeated' | 'requestId'>;

/**
 * Creates the MCP server of one request. This costs little, because everything expensive is shared.
 *
 * The request handlers are set directly instead of by `registerTool`, because the input is checked by the rules of REST
 * and with its messages.
 */
export function createServer(
  callTool: (request: ToolRequest) => Promise<CallToolResult>,
  redact: Redact,
  headers: CallHeaders,
): McpServer {
  const server = new McpServer(
    { name: 'port-allocator', title: 'Port Allocator', version },
    { capabilities: { tools: { listChanged: false } }, instructions: INSTRUCTIONS },
  );
  server.server.setRequestHandler('tools/list', () => ({ tools: published }));
  server.server.setRequestHandler('tools/call', ({ params }, { mcpReq }) => {
    if (!findTool(params.name)) {
      const names = tools.map(({ name }) => name).join(', ');
      const asked = params.name.slice(0, MAX_QUOTED_LENGTH);
      const message = makeVisible(redact(`There is no tool ${asked}. There are: ${names}.`));
      throw new ProtocolError(ProtocolErrorCode.InvalidParams, message);
    }
    const { name, arguments: input } = params;
    return callTool({ ...headers, name, input, signal: mcpReq.signal });
  });
  return server;
}
