import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { realpath } from 'node:fs/promises';
import t from 'tap';
import { readListeners, type Source, sources, toAddress, toSsOutput } from '../../src/client/listeners.js';
import { readListeningPorts } from '../../src/services/import-text/listening-ports.js';
import { listen } from '../helpers/listeners.js';

const linux = { skip: process.platform !== 'linux' };
const none: Source = async () => null;

for (const [name, source] of Object.entries(sources)) {
  t.test(`${name} names the process of each port, its address and its working folder`, linux, async (t) => {
    const folder = await realpath(t.testdir());
    const code = "const s = require('net').createServer().listen(0, '127.0.0.1', () => console.log(s.address().port))";
    const child = spawn(process.execPath, ['-e', code], { cwd: folder, env: {}, stdio: ['ignore', 'pipe', 'inherit'] });
    t.teardown(() => child.kill());
    const port = Number((await once(child.stdout, 'data'))[0]);
    const { port: ipv6 } = await listen(t, '::1');
    const { port: every } = await listen(t, '::');
    const found = await readListeners([source]);
    if (found === null) return void t.pass(`${name} is not installed`);
    const on = (port: number) => found.filter((one) => one.port === port);
    t.match(on(port), [{ address: '127.0.0.1', pid: child.pid, folder, processName: /^(node|MainThread)/ }]);
    t.match(on(ipv6), [{ address: '::1', pid: process.pid, folder: process.cwd() }]);
    t.match(on(every), [{ address: '*', pid: process.pid }]);

    const { items } = readListeningPorts(toSsOutput(found));
    const read = items.filter((item) => 'port' in item && [port, ipv6, every].includes(item.port));
    t.match(
      read,
      [port, ipv6, every].sort((a, b) => a - b).map((port) => ({ port, host: 'localhost' })),
    );
    t.notOk(
      items.find((item) => 'unreadable' in item),
      'an import reads every line',
    );
  });
}

t.test('the first source that tells is used, and none is said so', async (t) => {
  const one = { port: 3000, address: '*', processName: null, pid: null, folder: null };
  const other = { ...one, port: 2000 };
  t.same(await readListeners([none, async () => [one, one, other], async () => []]), [other, one]);
  t.equal(await readListeners([none, none]), null);
});

t.test('a program that is missing is no source', linux, async (t) => {
  const path = process.env.PATH;
  t.teardown(() => (process.env.PATH = path));
  process.env.PATH = t.testdir();
  t.equal(await sources.ss(), null);
  t.equal(await sources.lsof(), null);
});

t.test("the kernel's addresses are written as usual", async (t) => {
  t.equal(toAddress('0100007F'), '127.0.0.1');
  t.equal(toAddress('00000000'), '*');
  t.equal(toAddress('0'.repeat(32)), '*');
  t.equal(toAddress('0000000000000000FFFF00000100007F'), '127.0.0.1');
  t.equal(toAddress('00000000000000000000000001000000'), '::1');
  t.equal(toAddress('B80D0120000000000000000001000000'), '2001:db8::1');
});
