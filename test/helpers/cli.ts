import { spawn } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import type { Test } from 'tap';
import { packageRoot } from '../../src/package-root.js';
import { makeDataDir, makeSeededDir } from './database.js';
import { type Service, startService } from './service.js';

export const CLI = join(packageRoot, 'dist/src/cli/index.js');

export interface CliResult {
  /** Null after a signal. */
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

/** Calls the command in a process of its own, with PATH and these variables as its only environment. */
export async function callCli(
  args: readonly string[],
  { variables = {}, folder = packageRoot, input = '' }: CliOptions = {},
): Promise<CliResult> {
  const env = { PATH: process.env.PATH, ...variables };
  const child = spawn(process.execPath, [CLI, ...args], { cwd: folder, env });
  child.stdin.on('error', () => {}); // a command that reads no input may end first
  child.stdin.end(input);
  const ended = new Promise<[number | null, NodeJS.Signals | null]>((resolve) => {
    child.once('close', (code, signal) => resolve([code, signal]));
  });
  const [stdout, stderr, [code, signal]] = await Promise.all([text(child.stdout), text(child.stderr), ended]);
  return { code, signal, stdout, stderr };
}

export interface CliOptions {
  variables?: Record<string, string>;
  /** The current folder of the command. */
  folder?: string;
  /** What it reads on stdin. */
  input?: string;
}

/** A service, and a folder `shop` from which the command uses it. */
export interface Shop {
  service: Service;
  folder: string;
  variables: Record<string, string>;
  /** Calls the command in the folder. */
  pa(args: readonly string[], options?: CliOptions): Promise<CliResult>;
}

export async function openShop(t: Test): Promise<Shop> {
  const service = await startService(t, { DATA_DIR: await makeSeededDir(t) }).ready();
  const folder = join(await makeDataDir(t), 'shop');
  await mkdir(folder);
  const variables = { PORT_ALLOCATOR_URL: await service.url };
  return {
    service,
    folder,
    variables,
    pa: (args, options = {}) =>
      callCli(args, { folder, ...options, variables: { ...variables, ...options.variables } }),
  };
}
