import type { ChildProcess } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Test } from 'tap';
import { readHolder } from '../../src/embedded/holder.js';
import { closeAtEnd, type McpClient, spawnAgent } from './mcp.js';
import { startService as startUnready } from './service.js';

export const PATH = process.env.PATH ?? '';

export type Agent = Awaited<ReturnType<typeof spawnAgent>>;

/** The stdio processes of agents that use one data folder. */
export async function startAgents(t: Test, dataDir: string, count: number): Promise<Agent[]> {
  endServiceAtEnd(t, dataDir);
  const variables = { PORT_ALLOCATOR_DATA_DIR: dataDir, PATH };
  return Promise.all(Array.from({ length: count }, () => closeAtEnd(t, spawnAgent(variables))));
}

/** Kills the background service that clients have started, when the test ends. */
export function endServiceAtEnd(t: Test, dataDir: string): void {
  t.teardown(() => killService(dataDir));
}

/** Kills whichever process serves the data folder. @returns its pid, or null if there is none */
export async function killService(dataDir: string): Promise<number | null> {
  const holder = await readHolder(dataDir);
  if (holder === null || !isAlive(holder.pid)) return null;
  process.kill(holder.pid, 'SIGKILL');
  while (isAlive(holder.pid)) await sleep(10);
  return holder.pid;
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

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
