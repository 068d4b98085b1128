// Runs the inspector's CLI, the scenarios of the official conformance suite that fit a domain server, and the libraries
// of test/mcp-client-schemas, against the service and a stdio process of this build. All of them want Node 22 or newer,
// and so run under Node 24.
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
const stdio = ['node', join(packageRoot, 'dist/bin/port-allocator-mcp.cjs')];
const getPort = ['--method', 'tools/call', '--tool-name', 'get-port', '--tool-arg', 'project=odin', 'service=web'];
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

/** Under Node 24, whatever this process runs on. */
function run(tool: string, command: string, args: string[]): Outcome {
  return spawnSync('npx', ['-y', '-p', 'node@24', '-p', tool, command, ...args], { cwd: folder, encoding: 'utf8' });
}

/** The same for a command in a folder that is a package of its own. */
function runIn(cwd: string, command: string): Outcome {
  return spawnSync('npx', ['-y', '-p', 'node@24', '-c', command], { cwd, encoding: 'utf8' });
}

function checkScenario(url: string, scenario: string, revision: string): void {
  const output = join(folder, `${scenario}-${revision}`);
  const args = ['server', '--url', url, '--scenario', scenario, '--spec-version', revision, '-o', output];
  const { stdout, stderr } = run(CONFORMANCE, 'conformance', args);
  const results = readdirSync(folder, { recursive: true, encoding: 'utf8' }).find(
    (path) => path.startsWith(`${scenario}-${revision}`) && path.endsWith('checks.json'),
  );
  const checks: { id: string; status: string; errorMessage?: string }[] = results
    ? JSON.parse(readFileSync(join(folder, results), 'utf8'))
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

/** Starts a program, and waits until it has printed all that is asked for. */
function start(args: string[], env: NodeJS.ProcessEnv, address: RegExp, ready: string) {
  const child = spawn(process.execPath, args, { env, stdio: ['ignore', 'pipe', 'inherit'] });
  const url = new Promise<string>((resolve, reject) => {
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
  child.kill();
  if (child.exitCode === null && child.signalCode === null)
    await new Promise((resolve) => child.once('close', resolve));
}

const env = { ...process.env, DATABASE_URL: '', DATA_DIR: join(folder, 'data'), PORT: '0', LOG_LEVEL: 'info' };
const service = start([join(packageRoot, 'dist/src/main.js')], env, /(?<=Server listening at )http:[^"]+/, '"Ready"');
const planted = start([join(packageRoot, 'test/mcp-client-schemas/planted-server.js')], process.env, /http:\S+/, '\n');
try {
  const url = `${await service.url}/mcp`;
  for (const [scenario, revision] of SCENARIOS) checkScenario(url, scenario, revision);
  const overHttp = [url, '--transport', 'http'];
  checkInspector('lists the tools over HTTP', [...overHttp, '--method', 'tools/list'], /"get-port"/);
  checkInspector('gets a port over HTTP', [...overHttp, ...getPort], /"port": 3300/);
  const overStdio = ['-e', `PORT_ALLOCATOR_DATA_DIR=${join(folder, 'data')}`, ...getPort, '--', ...stdio];
  checkInspector('gets the same port over stdio, from the service', overStdio, /"port": 3300/);
  checkPortability(`${url}?tools=all`, await planted.url);
  checkClientSchemas(`${url}?tools=all`, await planted.url);
} finally {
  await Promise.all([service, planted].map(({ child }) => stop(child)));
  rmSync(folder, { recursive: true, force: true });
}
process.exitCode = failures === 0 ? 0 : 1;
