import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import t from 'tap';
import { packageRoot } from '../../src/package-root.js';
import { makeDataDir } from '../helpers/database.js';

/** Runs the compiled service until `reached` returns true, and then sends it a signal to stop. */
async function stopWhen(dataDir: string, reached: (output: string) => Promise<boolean>) {
  const child = spawn(process.execPath, [join(packageRoot, 'dist', 'src', 'main.js')], {
    env: { ...process.env, DATA_DIR: dataDir, DATABASE_URL: '', PORT: '0', LOG_LEVEL: 'info' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout.on('data', (chunk) => {
    output += chunk;
  });
  const closed = once(child, 'close');
  while (child.exitCode === null && !(await reached(output))) await setTimeout(10);
  child.kill('SIGTERM');
  const [code, signal] = await closed;
  return { code, signal, output };
}

t.test(
  'a service that is told to stop while it creates its database exits with 0, and starts the next time',
  async (t) => {
    const dataDir = await makeDataDir(t);
    const creating = async () =>
      (await readdir(dataDir)).some((name) => name.startsWith('.port-allocator-unfinished-'));
    t.match(await stopWhen(dataDir, creating), { code: 0, signal: null, output: /Stopped/ });
    const ready = async (output: string) => output.includes('"Ready"');
    t.match(await stopWhen(dataDir, ready), { code: 0, signal: null, output: /"Ready".*Stopped/s });
  },
);
