import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { packageRoot } from '../../src/package-root.js';
import { alternate, type Measure } from './measure.js';

const ROUNDS = 10;

/** From the start of the process to its first answer: a new data folder, of one that was used before. */
export const firstStart: Measure = async () => {
  const used = await mkdtemp(join(tmpdir(), 'port-allocator-bench-'));
  await startOn(used);
  const measured = await alternate(
    ROUNDS,
    async () => {
      const fresh = await mkdtemp(join(tmpdir(), 'port-allocator-bench-'));
      return startOn(fresh).finally(() => rm(fresh, { recursive: true, force: true }));
    },
    () => startOn(used),
  );
  await rm(used, { recursive: true, force: true });
  return [
    {
      work: 'first start ever to first answer, ms, of a later start on the same folder',
      target: { most: 2 },
      ...measured,
    },
  ];
};

/** @returns how many milliseconds passed until the first answer */
async function startOn(dataDir: string): Promise<number> {
  const begun = performance.now();
  const child = spawn(process.execPath, [join(packageRoot, 'dist/src/main.js')], {
    env: { PATH: process.env.PATH, DATA_DIR: dataDir, PORT: '0', LOG_LEVEL: 'info' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = once(child, 'exit');
  let url: string | undefined;
  for await (const line of createInterface({ input: child.stdout })) {
    url ??= /listening at (http:[^"]+)/.exec(line)?.[1];
    if (line.includes('"Ready"')) break;
  }
  const answer = await fetch(`${url}/v1/projects/consilio/services/api`, { method: 'PUT' });
  if (!answer.ok) throw new Error(`${answer.status}: ${await answer.text()}`);
  const ms = performance.now() - begun;
  child.kill('SIGTERM');
  await ended;
  return ms;
}
