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
  t.match(
    done.stdout,
    /\n\nLine 3 is of port 4201, in no range of atlas\.\n\n4 lines: 1 adopted, 1 conflict, 1 invalid, 1 passed over\.\n$/,
  );
  t.same(await heldPorts(), [[4101, 'api']]);
});

t.test('every line is accounted for, in the report and after it', async (t) => {
  const { request, call, heldPorts } = await setUp(t);
  await request('POST', '/v1/ranges', { project: 'atlas', startPort: 4100 });
  const output = [
    'State Recv-Q Send-Q Local Address:Port Peer Address:PortProcess',
    'LISTEN 0 511 0.0.0.0:4101 0.0.0.0:* users:(("nginx",pid=1,fd=3))',
    'LISTEN 0 511 [::]:4101 [::]:* users:(("node",pid=2,fd=3))',
    'LISTEN 0 511 172.17.0.1:4102 0.0.0.0:* users:(("docker-proxy",pid=3,fd=3))',
    'ESTAB 0 0 10.0.0.5:4101 10.0.0.6:50000',
    'LISTEN 0 511 0.0.0.0:22 0.0.0.0:* users:(("sshd",pid=4,fd=3))',
  ].join('\n');
  const folder = t.testdir({ utf16: Buffer.from(`\ufeff${output}`, 'utf16le'), joined: output.replaceAll('\n', '') });
  const report = await call(['import', '--file', `${folder}/utf16`]);
  t.match(report, { code: 0, stderr: 'Nothing was changed. To adopt 2 ports, repeat it with --yes.\n' });
  t.match(report.stdout, /^4102 +172\.17\.0\.1 +port-4102 .* It listens on 172\.17\.0\.1 alone\./m);
  t.match(
    report.stdout,
    /^4101 +localhost +- +- +conflict +4101 is listened on by nginx \(pid 1\) on 0\.0\.0\.0:4101/m,
  );
  t.match(report.stdout, /\nLine 1 is the header\.\nLine 5 is of a socket that does not listen \(ESTAB\)\.\n/);
  t.match(report.stdout, /\n6 lines: 2 can be adopted, 1 conflict, 1 outside, 2 passed over\.\n$/);
  const done = await call(['import', '--file', `${folder}/utf16`, '--yes', '--json']);
  const { given, counts, items, passedOver } = JSON.parse(done.stdout);
  t.same(
    [given, counts],
    [6, { adopted: 2, held: 0, conflict: 1, outside: 1, invalid: 0, passedOver: 2 }],
    'the same as in the report',
  );
  t.same([...items, ...passedOver].map(({ line }: { line: number }) => line).sort(), [1, 2, 3, 4, 5, 6]);
  t.match(items[2], { line: 4, outcome: 'adopted', detail: /port-4102 .* It listens on 172\.17\.0\.1 alone\./ });
  t.same(await heldPorts(), [
    [4101, 'nginx'],
    [4102, 'port-4102'],
  ]);
  const joined = await call(['import', '--file', `${folder}/joined`]);
  t.match(joined, { code: 1, stdout: '', stderr: /^No line can be read\. Line 1 .*newlines are missing/ });
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
