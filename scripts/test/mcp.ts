// Runs the inspector's CLI and the scenarios of the official conformance suite that fit a domain server, against
// the service and a stdio process of this build. Both tools want Node 22 or newer, and so run under Node 24.
import { spawn, spawnSync } from 'node:child_process';
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

/** Under Node 24, whatever this process runs on. */
function run(tool: string, command: string, args: string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync('npx', ['-y', '-p', 'node@24', '-p', tool, command, ...args], { cwd: folder, encoding: 'utf8' });
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

const service = spawn(process.execPath, [join(packageRoot, 'dist/src/main.js')], {
  env: { ...process.env, DATABASE_URL: '', DATA_DIR: join(folder, 'data'), PORT: '0', LOG_LEVEL: 'info' },
  stdio: ['ignore', 'pipe', 'inherit'],
});
try {
  const url = await new Promise<string>((resolve, reject) => {
    let output = '';
    service.on('exit', () => reject(new Error('The service ended before it was ready')));
    service.stdout.on('data', (text) => {
      output += text;
      const address = /Server listening at (http:[^"]+)/.exec(output)?.[1];
      if (address && output.includes('"Ready"')) resolve(`${address}/mcp`);
    });
  });
  for (const [scenario, revision] of SCENARIOS) checkScenario(url, scenario, revision);
  const overHttp = [url, '--transport', 'http'];
  checkInspector('lists the tools over HTTP', [...overHttp, '--method', 'tools/list'], /"get-port"/);
  checkInspector('gets a port over HTTP', [...overHttp, ...getPort], /"port": 3300/);
  const overStdio = ['-e', `PORT_ALLOCATOR_DATA_DIR=${join(folder, 'data')}`, ...getPort, '--', ...stdio];
  checkInspector('gets the same port over stdio, from the service', overStdio, /"port": 3300/);
} finally {
  service.removeAllListeners('exit');
  service.kill();
  await new Promise((resolve) => service.once('close', resolve));
  rmSync(folder, { recursive: true, force: true });
}
process.exitCode = failures === 0 ? 0 : 1;
