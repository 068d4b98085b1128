// The package as it would be published from a checkout that was never built: installed without development
// dependencies, it does the main job on the oldest and the newest Node that CI has.
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdir, readdir, readFile, stat, symlink } from 'node:fs/promises';
import { delimiter, dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import t from 'tap';
import { packageRoot, version } from '../../src/package-root.js';
import { ACCOUNT_ID, startCloudflare, TOKEN, TUNNEL_ID } from '../helpers/cloudflare/api.js';
import { makeDataDir } from '../helpers/database.js';
import { callerOf } from '../helpers/service.js';

t.setTimeout(600_000);

/** What npm, which runs this test, has set for its own scripts would steer the npm that is run here. */
const env = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !/^(npm_|NODE_OPTIONS|INIT_CWD|TAP)/.test(name)),
);
const FORBIDDEN =
  /\.map$|\.ts$|^package\/(dist\/scripts|dist\/test|dist\/src\/cli|dist\/src\/client|src|test|scripts|dashboard)\//;

const packed = await pack();
const prefix = await makeDataDir(t);
execFileSync('npm', ['install', '--omit=dev', '--prefix', prefix, packed], { env, stdio: 'pipe' });
const installed = join(prefix, 'node_modules/port-allocator');
t.comment(`packed: ${kilobytes((await stat(packed)).size)}, installed: ${kilobytes(await sizeOf(prefix))}`);

t.test('the package has what runs, and nothing else', async (t) => {
  const files = execFileSync('tar', ['-tzf', packed], { encoding: 'utf8' }).trim().split('\n');
  const needed = ['bin/port-allocator.cjs', 'bin/port-allocator-mcp.cjs', 'src/main.js', 'dashboard/index.html'].map(
    (f) => `dist/${f}`,
  );
  for (const file of [
    ...needed,
    'openapi/openapi.json',
    'openapi/ports.schema.json',
    'README.md',
    'CHANGELOG.md',
    'LICENSE',
    'package.json',
  ]) {
    t.ok(files.includes(`package/${file}`), file);
  }
  t.equal(files.filter((file) => /^package\/dist\/database-[0-9a-f]{16}\.tar\.gz$/.test(file)).length, 1, 'a template');
  t.ok(files.filter((file) => /^package\/migrations\/.*\.sql$/.test(file)).length > 10);
  t.same(
    files.filter((file) => FORBIDDEN.test(file)),
    [],
  );
  const names = await readdir(join(prefix, 'node_modules'));
  for (const name of ['typescript', 'tap', 'esbuild', '@biomejs', 'cloudflare']) t.notOk(names.includes(name), name);
});

t.test("the package calls Cloudflare by the parts of Cloudflare's SDK in it, and has their licences", async (t) => {
  const folder = join(installed, 'dist/src/services/cloudflare');
  const { CloudflareApi }: typeof import('../../src/services/cloudflare/api.js') = await import(join(folder, 'api.js'));
  const { url } = await startCloudflare(t);
  const config = { apiToken: TOKEN, accountId: ACCOUNT_ID, tunnelId: TUNNEL_ID, zones: ['example.com'] };
  const { signal } = new AbortController();
  const api = new CloudflareApi(config, url);
  t.equal(await api.createRecord('shop.example.com', 'zone-example.com', signal), null);
  t.match(await api.readAll(signal), { tunnelId: TUNNEL_ID, version: 1, records: [{ name: 'shop.example.com' }] });
  const bundle = await readFile(join(folder, 'sdk.js'), 'utf8');
  t.match(bundle, /Apache License.*Copyright \d+ Cloudflare.*BSD 3-Clause License.*Nathan LaFreniere/s);
});

for (const node of [process.execPath, findNode('24')]) {
  const name = execFileSync(node, ['--version'], { encoding: 'utf8' }).trim();
  const withNode = { ...env, PATH: [join(prefix, 'node_modules/.bin'), dirname(node), env.PATH].join(delimiter) };
  const run = (cwd: string, variables: Record<string, string>, command: string, ...args: string[]) =>
    execFileSync(command, args, { cwd, env: { ...withNode, ...variables }, encoding: 'utf8', timeout: 60_000 }).trim();

  t.test(`on Node ${name} the service starts with the template, and a restart keeps the port`, async (t) => {
    const dataDir = await makeDataDir(t);
    for (const status of [201, 200]) {
      const service = await start(node, dataDir);
      const call = callerOf(service.url);
      t.match(await call('PUT', '/v1/projects/consilio/services/api'), { status, body: { port: 3100 } });
      t.match((await call('GET', '/')).body, /<html/, 'the dashboard');
      t.match((await call('GET', '/openapi.json')).body, { info: { title: 'Port Allocator', version } });
      t.equal(await service.stop(), 0);
      t.notMatch(service.output(), /Migration applied/);
    }
  });

  t.test(`on Node ${name} the commands tell their version and their help`, async (t) => {
    for (const command of ['port-allocator', 'pa']) {
      t.equal(run(prefix, {}, command, '--version'), version);
      t.match(run(prefix, {}, command, '--help'), /Usage: port-allocator/);
    }
  });

  t.test(`on Node ${name} the commands and an agent get the same port from a service that they start`, async (t) => {
    const folder = join(await makeDataDir(t), 'shop');
    await mkdir(folder);
    const variables = { PORT_ALLOCATOR_DATA_DIR: await makeDataDir(t) };
    t.teardown(() => run(folder, variables, 'pa', 'stop'));
    const port = run(folder, variables, 'pa', 'port', 'web');
    t.match(port, /^\d{4,5}$/);
    t.equal(run(folder, variables, 'pa', 'run', 'web', '--', 'node', '-e', 'console.log(process.env.PORT)'), port);

    const agent = spawn('port-allocator-mcp', { cwd: folder, env: { ...withNode, ...variables }, stdio: 'pipe' });
    t.teardown(() => agent.kill('SIGKILL'));
    const answers = createInterface({ input: agent.stdout })[Symbol.asyncIterator]();
    const ask = async (id: number, method: string, params: object) => {
      agent.stdin.write(`${JSON.stringify({ jsonrpc: '2.0', id, method, params })}\n`);
      return JSON.parse((await answers.next()).value as string);
    };
    const clientInfo = { name: 'test', version: '1' };
    const greeting = await ask(1, 'initialize', { protocolVersion: '2025-06-18', capabilities: {}, clientInfo });
    t.match(greeting, { result: { serverInfo: { version } } });
    const call = { name: 'get-port', arguments: { project: 'shop', service: 'web' } };
    t.match(await ask(2, 'tools/call', call), { result: { structuredContent: { port: Number(port) } } });
    agent.stdin.end();
    t.same(await once(agent, 'exit'), [0, null]);
  });
}

/** @returns the path of the archive */
async function pack(): Promise<string> {
  const clone = await makeDataDir(t);
  for (const name of await readdir(packageRoot)) {
    if (/^(node_modules|dist|\.)/.test(name)) continue;
    await cp(join(packageRoot, name), join(clone, name), { recursive: true });
  }
  await symlink(join(packageRoot, 'node_modules'), join(clone, 'node_modules'));
  execFileSync('npm', ['pack', '--pack-destination', clone], { cwd: clone, env, stdio: 'pipe' });
  return join(clone, (await readdir(clone)).find((name) => name.endsWith('.tgz')) as string);
}

function findNode(release: string): string {
  const print = 'console.log(process.execPath)';
  return execFileSync('npx', ['-y', '-p', `node@${release}`, 'node', '-e', print], { env, encoding: 'utf8' }).trim();
}

async function start(node: string, dataDir: string) {
  const child = spawn(node, [join(installed, 'dist/src/main.js')], {
    env: { PATH: process.env.PATH, DATA_DIR: dataDir, PORT: '0', LOG_LEVEL: 'info' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  t.teardown(() => child.kill('SIGKILL'));
  let output = '';
  const ended = once(child, 'exit');
  const ready = new Promise<void>((resolve) => {
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text) => {
        output += text;
        if (output.includes('"Ready"')) resolve();
      });
    }
  });
  await Promise.race([ready, ended]);
  const [, url] = /listening at (http:[^"]+)/.exec(output) ?? [];
  if (url === undefined) throw new Error(`It does not listen: ${output}`);
  return {
    url,
    output: () => output,
    async stop() {
      child.kill('SIGTERM');
      return (await ended)[0];
    },
  };
}

async function sizeOf(folder: string): Promise<number> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile());
  const sizes = await Promise.all(files.map(async ({ parentPath, name }) => (await stat(join(parentPath, name))).size));
  return sizes.reduce((sum, size) => sum + size, 0);
}

function kilobytes(bytes: number): string {
  return `${Math.round(bytes / 1024)} KiB`;
}
