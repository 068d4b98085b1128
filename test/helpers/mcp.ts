import { Client as NewClient, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { Client as OldClient } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport as OldStdioTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { StreamableHTTPClientTransport as OldHttpTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import type { FastifyInstance } from 'fastify';
import type { Test } from 'tap';
import { packageRoot } from '../../src/package-root.js';

/** What both versions of the official client, 1.x and 2, have in common. */
export interface McpClient {
  // biome-ignore lint/suspicious/noExplicitAny: a test asserts what an answer holds, field by field
  callTool(call: { name: string; arguments?: Record<string, unknown> }): Promise<any>;
  // biome-ignore lint/suspicious/noExplicitAny: the same
  listTools(): Promise<{ tools: any[] }>;
  close(): Promise<void>;
}

const INFO = { name: 'test', version: '1.0.0' };
export const BRIDGE = `${packageRoot}/dist/src/client/bridge/main.js`;
const STDIO = { command: process.execPath, args: [BRIDGE], stderr: 'pipe' as const };

/** The v2 client with the current revision of the protocol and with those of 2025, and the 1.x client. */
export const clients: {
  name: string;
  overHttp(url: string, headers?: Record<string, string>): Promise<McpClient>;
  overStdio(variables: Record<string, string>): Promise<McpClient>;
}[] = [
  {
    name: 'the v2 client, current revision',
    overHttp: (url, headers = {}) =>
      connectNew(new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers } }), { pin: '2026-07-28' }),
    overStdio: (variables) => connectNew(new StdioClientTransport({ ...STDIO, env: variables }), { pin: '2026-07-28' }),
  },
  {
    name: 'the v2 client, 2025 revision',
    overHttp: (url, headers = {}) =>
      connectNew(new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers } }), 'legacy'),
    overStdio: (variables) => connectNew(new StdioClientTransport({ ...STDIO, env: variables }), 'legacy'),
  },
  {
    name: 'the 1.x client',
    overHttp: (url, headers = {}) =>
      connectOld(new OldHttpTransport(new URL(url), { requestInit: { headers } }) as OldTransport),
    overStdio: (variables) => connectOld(new OldStdioTransport({ ...STDIO, env: variables })),
  },
];

async function connectNew(
  transport: StreamableHTTPClientTransport | StdioClientTransport,
  mode: 'legacy' | { pin: string },
): Promise<McpClient> {
  const client = new NewClient(INFO, { versionNegotiation: { mode } });
  await client.connect(transport);
  return client;
}

type OldTransport = Parameters<OldClient['connect']>[0];

async function connectOld(transport: OldTransport): Promise<McpClient> {
  const client = new OldClient(INFO);
  await client.connect(transport);
  return client as unknown as McpClient;
}

/** Listens on a free port and returns the URL of MCP. */
export async function listenMcp(app: FastifyInstance): Promise<string> {
  return `${await app.listen({ host: '127.0.0.1', port: 0 })}/mcp`;
}

/** Starts a stdio process and connects a v2 client to it. The log of the process is discarded. */
export async function spawnAgent(variables: Record<string, string>): Promise<McpClient & { pid: number }> {
  const transport = new StdioClientTransport({ ...STDIO, stderr: 'ignore', env: variables });
  const client = await connectNew(transport, { pin: '2026-07-28' });
  return Object.assign(client, { pid: transport.pid as number });
}

export async function closeAtEnd<T extends McpClient>(t: Test, connecting: Promise<T>): Promise<T> {
  const client = await connecting;
  t.teardown(async () => {
    // The client's own timers do not keep this process alive, and a stderr that nobody reads never ends. Without this
    // timer, a test that has nothing else open would end before its cleanup has finished.
    const awake = setInterval(() => {}, 1000);
    await client.close().catch(() => {});
    clearInterval(awake);
  });
  return client;
}

/** How a test asks the tools of a service. */
export interface Asking {
  /** The structured content of an answer. */
  ask(name: string, input?: object): Promise<Answered>;
  /** The text of an answer, or of a refusal. */
  tell(name: string, input?: object): Promise<string>;
}

// biome-ignore lint/suspicious/noExplicitAny: a test asserts what an answer holds, field by field
type Answered = any;

export function asking(client: McpClient): Asking {
  const call = (name: string, input: object = {}) => client.callTool({ name, arguments: { ...input } });
  return {
    async ask(name, input) {
      const { isError, content, structuredContent } = await call(name, input);
      if (isError) throw new Error(content[0].text);
      return structuredContent;
    },
    async tell(name, input) {
      return (await call(name, input)).content[0].text;
    },
  };
}
