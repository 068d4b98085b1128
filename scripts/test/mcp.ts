// Runs the official clients, the inspector's CLI and the scenarios of the official conformance suite that fit a domain
// server, against the service and a stdio process of this build: all of it on the Node that runs this, and once more on
// Node 24. Then it sends the tools through the libraries of test/mcp-client-schemas. These, the inspector and the
// conformance suite want Node 22 or newer, and so run on Node 24 in any case.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { packageRoot } from '../../src/package-root.js';

const CONFORMANCE = '@modelcontextprotocol/conformance@0.2.0-alpha.12';
const INSPECTOR = '@modelcontextprotocol/inspector@2.12.0';

const SCENARIOS: [scenario: string, revision: string][] = [
  ['server-initialize', '2025-11-25'],
  ['ping', '2025-11-25'],
  ['tools-list', '2025-11-25'],
  ['tools-list', '2026-07-28'],
  ['dns-rebinding-protection', '2025-11-25'],
  ['dns-rebinding-protection', '2026-07-28'],
  ['server-stateless', '2026-07-28'],
  ['http-header-validation', '2026-07-28'],
  ['input-required-result-unsupported-methods', '2026-07-28'],
];

const DIAGNOSTIC = 'calls a diagnostic tool that only a test server has';
const NO_SUBSCRIPTIONS = 'the list of tools never changes, so subscriptions are refused';
/** Checks within those scenarios that cannot pass here, and why. */
const NOT_FOR_US: Record<string, string> = {
  'sep-2575-server-rejects-undeclared-capability': DIAGNOSTIC,
  'sep-2575-missing-capability-http-400': DIAGNOSTIC,
  'sep-2575-http-server-no-independent-requests-on-stream': DIAGNOSTIC,
  'sep-2575-server-no-log-without-loglevel': DIAGNOSTIC,
  'sep-2575-server-sends-subscription-ack': NO_SUBSCRIPTIONS,
  'sep-2575-server-tags-subscription-id': NO_SUBSCRIPTIONS,
};

const folder = mkdtempSync(join(tmpdir(), 'port-allocator-mcp-'));
const CLIENTS = join(packageRoot, 'dist/test/mcp/official-clients.js');
const BRIDGE = join(packageRoot, 'dist/bin/port-allocator-mcp.cjs');
const GET_PORT = ['--method', 'tools/call', '--tool-name', 'get-port', '--tool-arg', 'project=odin', 'service=web'];
let failures = 0;

function report(name: string, passed: boolean, detail: string): void {
  if (!passed) failures += 1;
  process.stdout.write(`${passed ? 'ok' : 'NOT OK'}  ${name}${detail && `  ${detail}`}\n`);
}

interface Outcome {
  status: number | null;
  stdout: string;
  stderr: string;
}

/** The path of Node 24, whatever this process runs on. */
function findNode24(): string {
  const print = ['node', '-e', 'console.log(process.execPath)'];
  return spawnSync('npx', ['-y', '-p', 'node@24', ...print], { cwd: folder, encoding: 'utf8' }).stdout.trim();
}

/** On Node 24, whatever this process runs on. */
function run(tool: string, command: string, args: string[]): Outcome {
  return spawnSync('npx', ['-y', '-p', 'node@24', '-p', tool, command, ...args], { cwd: folder, encoding: 'utf8' });
}

/** The same for a command in a folder that is a package of its own. */
function runIn(cwd: string, command: string): Outcome {
  return spawnSync('npx', ['-y', '-p', 'node@24', '-c', command], { cwd, encoding: 'utf8' });
}

function checkScenario(url: string, scenario: string, revision: string): void {
  const output = mkdtempSync(join(folder, 'conformance-'));
  const args = ['server', '--url', url, '--scenario', scenario, '--spec-version', revision, '-o', output];
  const { stdout, stderr } = run(CONFORMANCE, 'conformance', args);
  const results = readdirSync(output, { recursive: true, encoding: 'utf8' }).find((path) =>
    path.endsWith('checks.json'),
  );
  const checks: { id: string; status: string; errorMessage?: string }[] = results
    ? JSON.parse(readFileSync(join(output, results), 'utf8'))
    : [{ id: 'run', status: 'FAILURE', errorMessage: `${stdout}\n${stderr}` }];
  const passed = checks.filter((check) => check.status === 'SUCCESS');
  const failed = checks.filter((check) => check.status === 'FAILURE');
  const ours = failed.filter(({ id }) => !(id in NOT_FOR_US));
  const reasons = failed
    .filter(({ id }) => id in NOT_FOR_US)
    .map(({ id }) => `\n      not for us: ${id}: ${NOT_FOR_US[id]}`);
  const broken = ours.map(({ id, errorMessage }) => `\n      ${id}: ${errorMessage}`);
  const good = ours.length === 0 && passed.length > 0;
  report(
    `conformance ${scenario} ${revision}`,
    good,
    `${passed.length} checks passed${reasons.join('')}${broken.join('')}`,
  );
}

function checkInspector(name: string, args: string[], expected: RegExp): void {
  const { stdout, stderr } = run(INSPECTOR, 'mcp-inspector', ['--cli', ...args]);
  const passed = expected.test(stdout);
  report(`inspector ${name}`, passed, passed ? '' : `${stdout}\n${stderr}`);
}

function checkClients(node: string, url: string, dataDir: string): void {
  const { status, stdout, stderr } = spawnSync(node, [CLIENTS, url, dataDir], { cwd: folder, encoding: 'utf8' });
  const lines = `${stdout}${stderr}`.trimEnd().replaceAll(/^/gm, '\n      ').replaceAll('\n\n', '\n');
  report('the official clients get the same port', status === 0, lines);
}

/** The inspector tells which schemas some clients do not take: none of the service, and the one that was planted. */
function checkPortability(serviceUrl: string, plantedUrl: string): void {
  const list = (url: string) => {
    const args = ['--cli', url, '--transport', 'http', '--method', 'tools/list', '--strict', '--format', 'json'];
    const { stdout, stderr } = run(INSPECTOR, 'mcp-inspector', args);
    const { result, schemaFindings } = JSON.parse(stdout || '{}');
    return { tools: result?.tools.length, findings: schemaFindings, output: `${stdout}\n${stderr}` };
  };
  const ours = list(serviceUrl);
  const isPortable = ours.tools > 0 && ours.findings === undefined;
  report('inspector finds every schema portable', isPortable, isPortable ? '' : ours.output);
  const others = list(`${plantedUrl}/list-of-types`);
  const isFound = others.findings?.[0]?.findings[0]?.rule === 'type-union';
  report('inspector finds the list of types that was planted', isFound, isFound ? '' : others.output);
}

/** Has each library send the tools to a model. */
function checkClientSchemas(serviceUrl: string, plantedUrl: string): void {
  const command = `npm ci --loglevel=error && node run.js "${serviceUrl}" "${plantedUrl}"`;
  const { status, stdout, stderr } = runIn(join(packageRoot, 'test/mcp-client-schemas'), command);
  report('libraries of agents lose nothing of the tools', status === 0, `\n${stdout}${stderr}`);
}

/** Starts a program, and finds its address in what it prints, once that ends with `ready`. */
async function start(node: string, args: string[], env: NodeJS.ProcessEnv, address: RegExp, ready: string) {
  const child = spawn(node, args, { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'inherit'] });
  const url = await new Promise<string>((resolve, reject) => {
    let output = '';
    child.on('exit', () => reject(new Error(`${args} ended before it was ready`)));
    child.stdout.on('data', (text) => {
      output += text;
      const found = address.exec(output)?.[0];
      if (found && output.includes(ready)) resolve(found);
    });
  });
  return { child, url };
}

async function stop(child: ChildProcess): Promise<void> {
  child.removeAllListeners('exit');
  const ended = new Promise((resolve) => child.once('close', resolve));
  child.kill();
  await ended;
}

async function withService(node: string, dataDir: string, use: (url: string) => void | Promise<void>): Promise<void> {
  const env = { DATABASE_URL: '', DATA_DIR: dataDir, PORT: '0', LOG_LEVEL: 'info' };
  const main = [join(packageRoot, 'dist/src/main.js')];
  const { child, url } = await start(node, main, env, /(?<=Server listening at )http:[^"]+/, '"Ready"');
  try {
    await use(`${url}/mcp`);
  } finally {
    await stop(child);
  }
}

function checkOn(node: string, url: string, dataDir: string): void {
  checkClients(node, url, dataDir);
  for (const [scenario, revision] of SCENARIOS) checkScenario(url, scenario, revision);
  const overHttp = (address: string) => [address, '--transport', 'http'];
  const list = ['--method', 'tools/list'];
  checkInspector('lists the tools over HTTP', [...overHttp(url), ...list], /"get-port"/);
  checkInspector('lists all tools over HTTP', [...overHttp(`${url}?tools=all`), ...list], /"import-ports"/);
  checkInspector('gets a port over HTTP', [...overHttp(url), ...GET_PORT], /"port": 3300/);
  const stdio = ['-e', `PORT_ALLOCATOR_DATA_DIR=${dataDir}`, ...GET_PORT, '--', node, BRIDGE];
  checkInspector('gets the same port over stdio, from the service', stdio, /"port": 3300/);
}

async function checkSchemas(url: string): Promise<void> {
  const server = [join(packageRoot, 'test/mcp-client-schemas/planted-server.js')];
  const planted = await start(process.execPath, server, {}, /http:\S+/, '\n');
  try {
    checkPortability(`${url}?tools=all`, planted.url);
    checkClientSchemas(`${url}?tools=all`, planted.url);
  } finally {
    await stop(planted.child);
  }
}

try {
  for (const node of [process.execPath, findNode24()]) {
    const version = spawnSync(node, ['--version'], { encoding: 'utf8' }).stdout.trim();
    process.stdout.write(`On Node ${version}:\n`);
    const dataDir = join(folder, `data-${version}`);
    await withService(node, dataDir, (url) => checkOn(node, url, dataDir));
  }
  process.stdout.write('The schemas:\n');
  await withService(process.execPath, join(folder, 'data-schemas'), checkSchemas);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
process.exitCode = failures === 0 ? 0 : 1;
