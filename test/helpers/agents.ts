import type { ChildProcess } from 'node:child_process';
import type { Test } from 'tap';
import { readHolder } from '../../src/embedded/holder.js';
import { closeAtEnd, type McpClient, spawnAgent } from './mcp.js';
import { startService as startUnready } from './service.js';

export const PATH = process.env.PATH ?? '';
export const AGENTS = 5;

export type Agent = Awaited<ReturnType<typeof spawnAgent>>;

export const startAgents = (t: Test, dataDir: string, count: number): Promise<Agent[]> =>
  Promise.all(Array.from({ length: count }, () => closeAtEnd(t, spawnAgent({ DATA_DIR: dataDir, PATH }))));

/** Starts the service as `npm start` does, and waits until it is ready. */
export async function startService(t: Test, dataDir: string): Promise<{ child: ChildProcess; url: string }> {
  const { child, url } = await startUnready(t, { DATA_DIR: dataDir }).ready();
  return { child, url: await url };
}

/** Calls a tool that answers one port, and returns that port. @throws if the call fails */
export async function ask(client: McpClient, name: string, input: Record<string, unknown>): Promise<number> {
  const result = await client.callTool({ name, arguments: { project: 'shared-services', ...input } });
  if (result.isError) throw new Error(result.content[0].text);
  return result.structuredContent.port;
}

export async function listPorts(client: McpClient): Promise<number[]> {
  const result = await client.callTool({ name: 'list-ports', arguments: { project: 'shared-services', limit: 1000 } });
  return result.structuredContent.items.map((item: { port: number }) => item.port);
}

export const holderPid = async (dataDir: string) => (await readHolder(dataDir))?.pid as number;
