import t, { type Test } from 'tap';
import { CLI, callCli } from '../../helpers/cli.js';
import { listen, openBlackHole } from '../../helpers/listeners.js';
import { serveApp } from '../../helpers/served.js';
import { startOnTerminal } from '../../helpers/terminal.js';

const HOST = '127.0.0.62';

async function setUp(t: Test, variables: Record<string, string> = {}) {
  const served = await serveApp(t, variables);
  const call = (...args: string[]) => callCli(['audit', ...args], { variables: served.variables });
  const hold = async (project: string, port: number, host = 'localhost') => {
    await served.request('POST', '/v1/ranges', { project, startPort: port - (port % 100) });
    const body = { service: `on-${port}`, port, host };
    t.equal((await served.request('POST', `/v1/projects/${project}/allocations`, body)).status, 201);
  };
  return { ...served, call, hold };
}

t.test('each difference is told with its remedy, of one project or of all', async (t) => {
  const { call, hold } = await setUp(t);
  await hold('atlas', 4101);
  await hold('odin', 4201);
  const one = await call('--project', 'atlas');
  t.match(one, {
    code: 0,
    stderr: '',
    stdout: /^PORT .*\n4101 +localhost +not-running .*Start it, or release the port/,
  });
  t.match(one.stdout, /\natlas: held ports: 1, in use: 0, checked: 1\.\n$/);
  t.match((await call('--all')).stdout, /^4101 .*\n4201 .*\nall projects: held ports: 2, in use: 0, checked: 2\.$/m);
  const { code, stdout } = await call('--all', '--json', '--fail-on-conflict');
  t.equal(code, 1);
  t.match(JSON.parse(stdout), { allocated: 2, conflicts: [{ port: 4101, kind: 'not-running' }, { port: 4201 }] });
});

t.test('an audit without differences says so, and ports that nobody holds are audited on demand', async (t) => {
  const { call, request } = await setUp(t);
  const { port } = await listen(t, '127.0.0.1');
  await request('POST', '/v1/ranges', { project: 'shop', startPort: port - (port % 100) });
  const none = await call('--project', 'shop', '--fail-on-conflict');
  t.match(none, { code: 0, stdout: /^shop: held ports: 0, .*\nRegistry and reality agree\.\n$/ });
  const found = await call('--project', 'shop', '--unallocated');
  t.match(found.stdout, new RegExp(`^ *${port} +localhost +squatter`, 'm'));
});

t.test('a project that is not there is refused', async (t) => {
  const { call } = await setUp(t);
  t.match(await call('--project', 'nobody'), { code: 1, stdout: '', stderr: /^Project nobody / });
});

t.test(
  'on a terminal there is a bar, and Ctrl-C stops the audit cleanly',
  { skip: process.platform !== 'linux' },
  async (t) => {
    const { hold, variables, request } = await setUp(t, {
      PROBE_TARGETS: `web=${HOST}`,
      PROBE_TIMEOUT_MS: '2000',
      PROBE_CONCURRENCY: '1',
    });
    await hold('atlas', 4301);
    for (let port = 4302; port < 4306; port++) {
      await openBlackHole(t, HOST, port);
      await hold('atlas', port, 'web');
    }
    const terminal = startOnTerminal(t, [process.execPath, CLI, 'audit', '--all'], variables);
    await terminal.until(/Audit \[#+-+\] \d of 5 ports/);
    terminal.type('\x03');
    await terminal.until(/\[2KThe audit was stopped\./);
    t.match(await terminal.endedWithin(10_000), { exitCode: 130 });
    const again = await request('POST', '/v1/audits', { project: 'nobody' });
    t.equal(again.body.code, 'project-not-found', 'and not too-many-requests: the audit has ended at the service too');
  },
);
