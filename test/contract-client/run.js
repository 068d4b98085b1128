// Makes a client with each generator of docs/sdks.md as its users do, from the contract of a running service: writes the
// files and runs the commands of that page, compiles all strictly, and runs the page's examples and the longer programs
// of this folder. The service is the compiled one, on a free port, with a new embedded database.
import { execFile, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const START_TIMEOUT_MS = 60_000;
const URL_IN_DOCS = 'http://localhost:8080';
const folder = dirname(fileURLToPath(import.meta.url));
const root = dirname(dirname(folder));
const generated = join(folder, 'generated');

/** Runs a command and returns what it prints. Only if it fails, all of that is shown. */
async function run(command, cwd = folder) {
  try {
    return (await promisify(execFile)(command, { cwd, shell: true })).stdout;
  } catch (error) {
    throw new Error(`${command} failed:\n${error.stdout}${error.stderr}`);
  }
}

/** Reads each section of docs/sdks.md that has commands: files (whose first line is their name) and commands (npx). */
function readGenerators(url) {
  const page = readFileSync(join(root, 'docs', 'sdks.md'), 'utf8').replaceAll(URL_IN_DOCS, url);
  return page.split(/^## /m).flatMap((section) => {
    const name = section.split('\n', 1)[0].split('/').at(-1);
    const blocks = [...section.matchAll(/^```\w+\n(.*?)^```$/gms)].map(([, text]) => text);
    const files = blocks.filter((text) => text.startsWith('// '));
    const commands = blocks.flatMap((text) => text.split('\n').filter((line) => line.startsWith('npx ')));
    return commands.length > 0 ? [{ name, files, commands }] : [];
  });
}

async function generate({ name, files, commands }) {
  const place = join(generated, name);
  mkdirSync(place, { recursive: true });
  for (const text of files) writeFileSync(join(place, text.slice(3, text.indexOf('\n'))), text);
  for (const command of commands) await run(command, place);
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

/** Whether the packages were installed from the lock file as it is now. */
function isInstalled() {
  const installed = join(folder, 'node_modules', '.package-lock.json');
  return existsSync(installed) && statSync(installed).mtimeMs >= statSync(join(folder, 'package-lock.json')).mtimeMs;
}

if (!isInstalled()) await run('npm ci');
rmSync(generated, { recursive: true, force: true });

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
  const generators = readGenerators(url);
  await Promise.all(generators.map(generate));
  await run('npx tsc');
  const programs = generators.flatMap(({ name }) => [`${name}.ts`, `generated/${name}/example.ts`]);
  await run(`npx esbuild ${programs.join(' ')} --bundle --platform=node --format=esm --outdir=out`);
  for (const { name } of generators) {
    const printed = await run(`node out/generated/${name}/example.js`);
    if (printed !== '3100\n') throw new Error(`the example for ${name} printed ${printed}`);
    await run(`node out/${name}.js ${url}`);
    process.stdout.write(`The client that ${name} made did the main job.\n`);
  }
} finally {
  if (service.exitCode === null) {
    service.kill('SIGTERM');
    await new Promise((resolve) => service.once('close', resolve));
  }
  rmSync(dataDir, { recursive: true, force: true });
}
