import t, { type Test } from 'tap';
import { CLI, callCli } from '../../helpers/cli.js';
import { listen } from '../../helpers/listeners.js';
import { serveApp } from '../../helpers/served.js';
import { startOnTerminal } from '../../helpers/terminal.js';

const linux = { skip: process.platform !== 'linux' };

/** A service in whose range this process listens on one port. */
async function setUp(t: Test) {
  const served = await serveApp(t);
  const { port } = await listen(t, '127.0.0.1');
  const startPort = port - (port % 100);
  t.equal((await served.request('POST', '/v1/ranges', { project: 'shop', startPort })).status, 201);
  const heldPorts = async () => {
    const { body } = await served.request('GET', '/v1/allocations');
    return body.items.map((one: { port: number; service: string }) => [one.port, one.service]);
  };
  const call = (args: string[], input = '') => callCli(args, { variables: served.variables, input });
  return { ...served, port, heldPorts, call };
}

t.test('what this machine listens on is reported first, and adopted with --yes', linux, async (t) => {
  const { call, port, heldPorts } = await setUp(t);
  const report = await call(['import', '--project', 'shop']);
  t.match(report, { code: 0, stderr: /^Nothing was changed\. To adopt \d+ ports?, repeat it with --yes\.\n$/ });
  t.match(report.stdout, new RegExp(`^ *${port} +localhost +node\\S* +shop +can be adopted +For shop/node`, 'm'));
  t.same(await heldPorts(), []);

  const json = await call(['import', '--project', 'shop', '--json']);
  t.match(JSON.parse(json.stdout), { dryRun: true });
  t.same(await heldPorts(), [], 'JSON alone adopts nothing either');

  const done = await call(['import', '--project', 'shop', '--yes', '--json']);
  t.equal(done.code, 0);
  const { dryRun, items } = JSON.parse(done.stdout);
  t.equal(dryRun, false);
  t.match(
    items.find((one: { port: number }) => one.port === port),
    { outcome: 'adopted', allocation: { project: 'shop' } },
  );
  const held = await heldPorts();
  t.ok(held.some(([one]: [number]) => one === port));

  t.match((await call(['import', '--project', 'shop', '--yes'])).stdout, new RegExp(`^ *${port} .* held `, 'm'));
  t.same(await heldPorts(), held, 'again changes nothing');
});

t.test('an output that was taken elsewhere is read, and only the named project adopts', async (t) => {
  const { request, call, heldPorts } = await setUp(t);
  for (const [project, startPort] of [
    ['atlas', 4100],
    ['odin', 4200],
  ]) {
    await request('POST', '/v1/ranges', { project, startPort });
  }
  await request('POST', '/v1/projects/atlas/reservations', { port: 4102, ttlSeconds: 900 });
  const output = [
    'LISTEN 0 511 127.0.0.1:4101 0.0.0.0:* users:(("api",pid=1,fd=3))',
    'LISTEN 0 511 127.0.0.1:4102 0.0.0.0:* users:(("web",pid=2,fd=3))',
    'LISTEN 0 511 127.0.0.1:4201 0.0.0.0:* users:(("other",pid=3,fd=3))',
    'nonsense',
  ].join('\n');
  const done = await call(['import', '--project', 'atlas', '--file', '-', '--yes'], output);
  t.equal(done.code, 0, 'a conflict is told and is no failure');
  t.equal(done.stderr, 'Adopted 1 port.\n');
  t.match(done.stdout, /^4101 +localhost +api +atlas +adopted .*\n4102 +localhost +- +- +conflict +Reserved by atlas/m);
  t.match(done.stdout, /invalid +Line 4 is of neither ss nor lsof/);
  t.notMatch(done.stdout, /4201/);
  t.same(await heldPorts(), [[4101, 'api']]);
});

t.test('what cannot be imported is told with the right exit code, and changes nothing', async (t) => {
  const { call, heldPorts } = await setUp(t);
  t.match(await call(['import', '--file', '/nowhere']), {
    code: 2,
    stdout: '',
    stderr: /^--file: ENOENT.*\nName a file/,
  });
  t.match(await call(['import', '--environment', 'x']), { code: 2, stderr: /^--environment: .*\n.*\n$/ });
  t.match(await call(['import', '--project', 'shoop']), { code: 1, stdout: '', stderr: /^Project shoop / });
  t.match(await call(['import', '--file', '-', '--yes'], 'no list\n'), { code: 1, stdout: '' });
  const lines = Array.from({ length: 5001 }, (_, i) => `LISTEN 0 0 127.0.0.1:${i + 20_000} *:*`).join('\n');
  t.match(await call(['import', '--file', '-', '--yes'], lines), { code: 1, stdout: '', stderr: /5000/ });
  t.same(await heldPorts(), []);
});

t.test('on a terminal the report is followed by a question', linux, async (t) => {
  const { port, heldPorts, variables } = await setUp(t);
  const ask = async (answer: string) => {
    const terminal = startOnTerminal(t, [process.execPath, CLI, 'import', '--project', 'shop'], variables);
    await terminal.until(new RegExp(`${port}.*can be adopted`));
    await terminal.until(/Adopt them\? \[y\/N\]/);
    terminal.type(`${answer}\r`);
    return terminal.endedWithin(10_000);
  };
  t.match(await ask('n'), { exitCode: 1 });
  t.same(await heldPorts(), []);
  t.match(await ask('y'), { exitCode: 0 });
  t.ok((await heldPorts()).some(([one]: [number]) => one === port));
});
