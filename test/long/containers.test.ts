import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { promisify } from 'node:util';
import t from 'tap';
import { loadConfig } from '../../src/config.js';
import { LocalListeners } from '../../src/services/listeners/local-listeners.js';
import { findFreeIn } from '../helpers/listeners.js';

const IMAGE = 'docker.io/library/node:24-bookworm-slim';
const run = promisify(execFile);
const socket = process.env.DOCKER_HOST?.match(/^unix:\/\/(.+)$/)?.[1] ?? '/var/run/docker.sock';
const engine = await findEngine();

t.test('a real engine tells whose a published port is', { skip: engine === null && 'no engine' }, async (t) => {
  const port = await findFreeIn(3900);
  const name = `listens-on-${port}`;
  const code = "require('net').createServer().listen(8000)";
  const label = 'com.docker.compose.project.working_dir=/home/kim/shop';
  const published = `127.0.0.1:${port}:8000`;
  const command = [
    'run',
    '--detach',
    '--name',
    name,
    '--publish',
    published,
    '--label',
    label,
    IMAGE,
    'node',
    '-e',
    code,
  ];
  t.teardown(() => run(engine as string, ['rm', '--force', name]));
  await run(engine as string, command);
  const listeners = new LocalListeners(loadConfig({ CONTAINER_SOCKET: socket }));
  const found = { process: name, pid: null, path: '/home/kim/shop' };
  t.match(await listeners.find(port), found);
  t.match(await listeners.findStranger(port, '/home/kim/other'), found);
  t.equal(await listeners.findStranger(port, '/home/kim/shop'), null);
});

/** The program of an engine that has the image. */
async function findEngine(): Promise<string | null> {
  if (!existsSync(socket)) return null;
  for (const program of ['docker', 'podman']) {
    if (
      await run(program, ['image', 'inspect', IMAGE]).then(
        () => true,
        () => false,
      )
    )
      return program;
  }
  return null;
}
