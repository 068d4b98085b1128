import { spawn } from 'node:child_process';
import type { Test } from 'tap';
import { CLI } from './cli.js';
import { makeSeededDir } from './database.js';
import { type Service, startService } from './service.js';
import { until } from './until.js';

/** Starts `pa watch --verbose`, and waits until it watches. It is killed when the test ends. */
export async function startWatch(t: Test, args: string[], variables: Record<string, string>, folder?: string) {
  const child = spawn(process.execPath, [CLI, 'watch', '--verbose', ...args], {
    cwd: folder,
    env: { PATH: process.env.PATH, ...variables },
  });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (data) => (stdout += data));
  child.stderr.on('data', (data) => (stderr += data));
  const ended = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((resolve) => {
    child.once('close', (code, signal) => resolve({ code, signal }));
  });
  t.teardown(() => {
    child.kill('SIGKILL');
    return ended;
  });
  const watch = {
    child,
    ended,
    stdout: () => stdout,
    stderr: () => stderr,
    /** The events that `--json` has written. */
    events: () =>
      stdout
        .trim()
        .split('\n')
        .filter(Boolean)
        .map((line) => JSON.parse(line)),
  };
  await until(() => stderr.includes('Watching ') || child.exitCode !== null);
  return watch;
}

/** A service in a process of its own. Events come only where the feed runs, which it does not in an app alone. */
export async function serveShop(t: Test, variables: Record<string, string> = {}) {
  const service = await startService(t, { DATA_DIR: await makeSeededDir(t), ...variables }).ready();
  const request = (...[method, path, body, headers]: [string, string, object?, Record<string, string>?]) =>
    service.call(method, path, body, headers && { headers });
  return { service: service as Service, request, variables: { PORT_ALLOCATOR_URL: await service.url } };
}
