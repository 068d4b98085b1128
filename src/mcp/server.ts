import { type CallToolResult, McpServer, ProtocolError, ProtocolErrorCode } from '@modelcontextprotocol/server';
import type { Redact } from '../access/redact.js';
import { nameClient } from '../input/client-name.js';
import { makeVisible } from '../input/visible.js';
import { version } from '../package-root.js';
import { publish } from './published.js';
import type { ToolRequest } from './tool.js';
import { coreTools, findTool, tools } from './tools.js';

/** Of the name of a tool that does not exist. No tool's is as long. */
const MAX_QUOTED_LENGTH = 100;
/** What people would otherwise write into the instruction file of each agent. */
const INSTRUCTIONS = `Ports of this machine or team, from one registry, so that services never collide.
- Never choose a port yourself: call get-port (for a stack get-environment-ports) before a service is started or configured, and use what it answers.
- Give your working folder as cwd, which is enough: it tells the project, and a git worktree is an environment of its own. Or name project, and for a copy of the stack environment.
- A port stays with its service, also when that is stopped. Ask again instead of remembering, and release only what is gone for good: release-environment after a worktree or branch was deleted.
- list-ports looks up ports and allocates none.
- If a port is in use (EADDRINUSE), call describe-port: it tells whose it is and who listens. Never stop a process that is not yours: ask the user.`;

const published = { core: coreTools.map(publish), all: tools.map(publish) };

/** Where a call comes from: what the headers of its request say, and whether it is from this machine, which none may say. */
export type CallOrigin = Omit<ToolRequest, 'name' | 'input' | 'signal'>;

/**
 * Creates the MCP server of one request. This costs little, because everything expensive is shared.
 *
 * The request handlers are set directly instead of by `registerTool`, because the input is checked by the rules of REST
 * and with its messages.
 */
export function createServer(
  callTool: (request: ToolRequest) => Promise<CallToolResult>,
  redact: Redact,
  origin: CallOrigin,
  listed: 'core' | 'all',
): McpServer {
  const server = new McpServer(
    { name: 'port-allocator', title: 'Port Allocator', version },
    { capabilities: { tools: { listChanged: false } }, instructions: INSTRUCTIONS },
  );
  server.server.setRequestHandler('tools/list', () => ({ tools: published[listed] }));
  server.server.setRequestHandler('tools/call', ({ params }, { mcpReq }) => {
    if (!findTool(params.name)) {
      const names = tools.map(({ name }) => name).join(', ');
      const asked = params.name.slice(0, MAX_QUOTED_LENGTH);
      const message = makeVisible(redact(`There is no tool ${asked}. There are: ${names}.`));
      throw new ProtocolError(ProtocolErrorCode.InvalidParams, message);
    }
    const { name, arguments: input } = params;
    // By the current revision each request says what client it comes from.
    const client = nameClient(params._meta?.['io.modelcontextprotocol/clientInfo']) ?? origin.client;
    return callTool({ ...origin, client, name, input, signal: mcpReq.signal });
  });
  return server;
}
