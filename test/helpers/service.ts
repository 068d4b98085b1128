import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Test } from 'tap';
import { packageRoot } from '../../src/package-root.js';

/** Long enough for several services that start at the same time on a small machine. */
const START_TIMEOUT_MS = 60_000;

export interface Reply {
  status: number;
  // biome-ignore lint/suspicious/noExplicitAny: a test asserts what an answer holds, field by field
  body: any;
  headers: Headers;
}

/** The compiled service in a process of its own. */
export interface Service {
  readonly child: ChildProcess;
  /** Resolves once the service listens. */
  readonly url: Promise<string>;
  /** Everything that it has written to stdout and stderr so far. */
  output(): string;
  /** The exit code, or null after a signal. */
  readonly exited: Promise<number | null>;
  /** Waits until `/readyz` answers with 200. */
  ready(): Promise<Service>;
  /** @throws when there is no answer within `timeoutMs`, or the connection breaks */
  call(
    method: string,
    path: string,
    body?: object,
    options?: { headers?: Record<string, string>; timeoutMs?: number },
  ): Promise<Reply>;
  kill(signal: NodeJS.Signals): Promise<number | null>;
}

/**
 * Runs a script of `dist/` with PATH and these variables as its only environment. It is killed when the test ends.
 * @param openFiles how many files it may have open
 */
export function startProcess(
  t: Test,
  script: string,
  variables: Record<string, string>,
  args: string[] = [],
  openFiles?: number,
) {
  const command = [process.execPath, join(packageRoot, 'dist', script), ...args] as const;
  const limited = ['sh', '-c', `ulimit -n ${openFiles} && exec "$0" "$@"`, ...command] as const;
  const [program, ...programArgs] = openFiles === undefined ? command : limited;
  const child = spawn(program, programArgs, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env.PATH, ...variables },
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => (output += data));
  const exited = once(child, 'close').then(([code]) => code as number | null);
  const kill = () => child.kill('SIGKILL');
  process.once('exit', kill); // also if the test exceeds its time limit
  t.teardown(() => {
    process.removeListener('exit', kill);
    kill();
    return exited;
  });
  return { child, exited, output: () => output };
}

/** @param openFiles how many files it may have open */
export function startService(t: Test, variables: Record<string, string>, openFiles?: number): Service {
  const given = { PORT: '0', AVOID_LISTENING: 'false', ...variables };
  const { child, exited, output } = startProcess(t, 'src/main.js', given, [], openFiles);
  const url = Promise.race([
    new Promise<string>((resolve) => {
      createInterface({ input: child.stdout as NodeJS.ReadableStream }).on('line', (line) => {
        const [found] = /http:\/\/(127\.0\.0\.1|\[::1\]):\d+/.exec(line) ?? [];
        if (found && line.includes('Server listening')) resolve(found);
      });
    }),
    exited.then((code) => Promise.reject(new Error(`exited with ${code} before it listened: ${output()}`))),
  ]);
  url.catch(() => {}); // a test that expects the exit does not ask for the URL
  const service: Service = {
    child,
    url,
    exited,
    output,
    async ready() {
      const deadline = Date.now() + START_TIMEOUT_MS;
      await url;
      const status = () => service.call('GET', '/readyz').then((reply) => reply.status, String);
      for (let last = await status(); last !== 200; last = await status()) {
        if (Date.now() > deadline || child.exitCode !== null) throw new Error(`not ready (${last}): ${output()}`);
        await sleep(50);
      }
      return service;
    },
    call: callerOf(url),
    kill(signal) {
      child.kill(signal);
      return exited;
    },
  };
  return service;
}

export function callerOf(url: Promise<string> | string): Service['call'] {
  return async (method, path, body, { headers = {}, timeoutMs = 30_000 } = {}) => {
    const response = await fetch((await url) + path, {
      method,
      headers: { ...(body && { 'content-type': 'application/json' }), ...headers },
      ...(body && { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(timeoutMs),
    });
    const text = await response.text();
    const isJson = /json/.test(response.headers.get('content-type') ?? '');
    return { status: response.status, body: isJson ? JSON.parse(text) : text, headers: response.headers };
  };
}

/** Runs a command of `port-allocator` and waits for its end. */
export async function runCommand(t: Test, args: string[], variables: Record<string, string>) {
  const { exited, output } = startProcess(t, 'src/cli/index.js', variables, args);
  return { code: await exited, output: output() };
}

/** Runs a script and waits for its end. */
export async function runScript(t: Test, script: string, variables: Record<string, string>) {
  const { exited, output } = startProcess(t, script, variables);
  return { code: await exited, output: output() };
}
