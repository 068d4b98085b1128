import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';

const START_TIMEOUT_MS = 20_000;

/**
 * Starts HAProxy with a configuration file.
 * @param variables the environment variables that the configuration uses
 * @param probe whether HAProxy serves already
 */
export async function startHaproxy(file: string, variables: Record<string, string>, probe: () => Promise<boolean>) {
  const child = spawn('haproxy', ['-db', '-f', file], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env.PATH, LD_LIBRARY_PATH: process.env.LD_LIBRARY_PATH, ...variables },
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => (output += data));
  child.on('error', (error) => (output += error.message));
  const closed = once(child, 'close');
  const kill = () => child.kill('SIGKILL');
  process.once('exit', kill);
  const stop = async () => {
    process.removeListener('exit', kill);
    kill();
    await closed;
  };
  const deadline = Date.now() + START_TIMEOUT_MS;
  while (!(await probe().catch(() => false))) {
    if (child.exitCode !== null || Date.now() > deadline) {
      await stop();
      throw new Error(`HAProxy does not serve: ${output}`);
    }
    await sleep(100);
  }
  return { stop, output: () => output };
}
