import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Test } from 'tap';
import { readHolder } from '../../src/database/data-dir-lock.js';
import { packageRoot } from '../../src/package-root.js';
import { closeAtEnd, type McpClient, spawnAgent } from './mcp.js';

export const PATH = process.env.PATH ?? '';
export const AGENTS = 5;

export type Agent = Awaited<ReturnType<typeof spawnAgent>>;

export const startAgents = (t: Test, dataDir: string, count: number): Promise<Agent[]> =>
  Promise.all(Array.from({ length: count }, () => closeAtEnd(t, spawnAgent({ DATA_DIR: dataDir, PATH }))));

/** The service, as `npm start` runs it, once it is ready. */
export async function startService(t: Test, dataDir: string): Promise<{ child: ChildProcess; url: string }> {
  const child = spawn(process.execPath, [`${packageRoot}/dist/src/main.js`], {
    env: { DATA_DIR: dataDir, PORT: '0', PATH },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const exited = once(child, 'exit');
  t.teardown(() => {
    child.kill('SIGKILL');
    return exited;
  });
  let output = '';
  child.stderr?.on('data', (text) => {
    output += text;
  });
  const url = await new Promise<string>((resolve, reject) => {
    child.on('exit', () => reject(new Error(output)));
    child.stdout?.on('data', (text) => {
      output += text;
      const address = /Server listening at (http:[^"]+)/.exec(output)?.[1];
      if (address && output.includes('"Ready"')) resolve(address);
    });
  });
  return { child, url };
}

/** Asks for one port and returns it; anything but a success fails. */
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
