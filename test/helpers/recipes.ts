import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { Test } from 'tap';
import { packageRoot } from '../../src/package-root.js';
import { CLI } from './cli.js';
import { makeFolder } from './folder.js';

const START_MS = 60_000;

/** A fenced block of docs/recipes.md. */
export interface Block {
  language: string;
  /** The name of the file that it is, or `no-test`. Empty for commands. */
  name: string;
  text: string;
}

/** @returns the blocks of each recipe, by its heading */
export function readRecipes(): Map<string, Block[]> {
  const recipes = new Map<string, Block[]>();
  const document = readFileSync(join(packageRoot, 'docs/recipes.md'), 'utf8');
  for (const section of document.split(/^## /m).slice(1)) {
    const [heading = ''] = section.split('\n', 1);
    const blocks = [...section.matchAll(/^```(\w+) ?([^\n]*)\n(.*?)^```$/gms)];
    recipes.set(
      heading,
      blocks.map(([, language = '', name = '', text = '']) => ({ language, name, text })),
    );
  }
  return recipes;
}

/** A project in a folder of its own, with the command on the PATH. */
export async function makeProject(t: Test, dataDir: string, files: Record<string, string> = {}) {
  const folder = join(await makeFolder(t), 'shop');
  const bin = join(dirname(folder), 'bin');
  await mkdir(bin);
  for (const name of ['pa', 'port-allocator']) {
    await writeFile(join(bin, name), `#!/bin/sh\nexec ${process.execPath} ${CLI} "$@"\n`);
    await chmod(join(bin, name), 0o755);
  }
  await mkdir(folder);
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), text);
  }
  const env = {
    PATH: `${bin}:${process.env.PATH}`,
    HOME: dirname(folder),
    XDG_RUNTIME_DIR: dirname(folder),
    PORT_ALLOCATOR_DATA_DIR: dataDir,
    // Programs that were unpacked for this suite find their libraries by it.
    ...(process.env.LD_LIBRARY_PATH && { LD_LIBRARY_PATH: process.env.LD_LIBRARY_PATH }),
  };
  const run = (command: string, more: Record<string, string> = {}, cwd = folder) =>
    promisify(execFile)('bash', ['-euc', command], { cwd, env: { ...env, ...more } }).then(({ stdout }) => stdout);
  return { folder, bin, env, run, serve: (command: string, cwd = folder) => serve(t, command, cwd, env) };
}

/** Runs a command that goes on, in a process group of its own, until the test ends. */
function serve(t: Test, command: string, cwd: string, env: Record<string, string>) {
  const child = spawn('bash', ['-euc', command], { cwd, env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => (output += data));
  const ended = once(child, 'close');
  const end = () => {
    const isRunning = child.exitCode === null && child.signalCode === null;
    if (isRunning && child.pid !== undefined) process.kill(-child.pid, 'SIGTERM');
    return ended;
  };
  t.teardown(end);
  return {
    end,
    /** Waits until it answers on a port, and returns what. */
    async answerOn(port: number): Promise<string> {
      for (const deadline = Date.now() + START_MS; Date.now() < deadline; await sleep(50)) {
        const answer = await fetch(`http://localhost:${port}/`).then(
          (response) => response.text(),
          () => null,
        );
        if (answer !== null) return answer;
        if (child.exitCode !== null) break;
      }
      throw new Error(`${basename(cwd)}: ${command} does not answer on ${port}: ${output}`);
    },
  };
}
