// Makes a client from the committed contract as its users do (generates it, compiles it strictly), and runs it against
// the compiled service, which listens on a free port and has a new embedded database.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const START_TIMEOUT_MS = 60_000;
const folder = dirname(fileURLToPath(import.meta.url));
const root = dirname(dirname(folder));

function run(...command) {
  const [program, ...args] = command;
  const { status } = spawnSync(program, args, { cwd: folder, stdio: 'inherit', shell: process.platform === 'win32' });
  if (status !== 0) throw new Error(`${command.join(' ')} failed`);
}

function findFreePort() {
  return new Promise((resolve, reject) => {
    const server = createServer().once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

async function waitUntilReady(url, service) {
  for (const deadline = Date.now() + START_TIMEOUT_MS; Date.now() < deadline; await setTimeout(100)) {
    if (service.exitCode !== null) throw new Error(`the service ended with ${service.exitCode}`);
    const answer = await fetch(`${url}/readyz`).catch(() => null);
    if (answer?.ok) return;
  }
  throw new Error('the service did not become ready');
}

if (!existsSync(join(folder, 'node_modules', '.package-lock.json'))) run('npm', 'ci');
run('npm', 'run', '--silent', 'generate');
run('npm', 'run', '--silent', 'compile');

const dataDir = mkdtempSync(join(tmpdir(), 'port-allocator-client-'));
const port = await findFreePort();
const url = `http://127.0.0.1:${port}`;
// The service must not see the configuration of whoever runs this, such as DATABASE_URL or PORT.
const { PATH, HOME, SystemRoot } = process.env;
const service = spawn(process.execPath, [join(root, 'dist', 'src', 'main.js')], {
  env: { PATH, HOME, SystemRoot, PORT: String(port), DATA_DIR: dataDir, LOG_LEVEL: 'warn' },
  stdio: ['ignore', 'inherit', 'inherit'],
});
try {
  await waitUntilReady(url, service);
  run(process.execPath, join('out', 'client.js'), url);
  process.stdout.write('The generated client did the main job against the running service.\n');
} finally {
  if (service.exitCode === null) {
    service.kill('SIGTERM');
    await new Promise((resolve) => service.once('close', resolve));
  }
  rmSync(dataDir, { recursive: true, force: true });
}
