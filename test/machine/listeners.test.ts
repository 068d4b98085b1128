import { createSocket } from 'node:dgram';
import { mkdtemp, realpath, rmdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { chooseListener } from '../../src/machine/listener.js';
import { readListeners, readUdpListeners, type Source, sources, toSsOutput } from '../../src/machine/listeners.js';
import { toAddress } from '../../src/machine/listening-sockets.js';
import { readListeningPorts } from '../../src/services/import-text/listening-ports.js';
import { listen, listenIn } from '../helpers/listeners.js';

const linux = { skip: process.platform !== 'linux' };
const none: Source = async () => null;

for (const [name, source] of Object.entries(sources)) {
  t.test(`${name} names the process of each port, its address and its working folder`, linux, async (t) => {
    const folder = await realpath(t.testdir());
    const { port, pid } = await listenIn(t, folder);
    const { port: ipv6 } = await listen(t, '::1');
    const { port: every } = await listen(t, '::');
    const found = await readListeners([source]);
    if (found === null) return void t.pass(`${name} is not installed`);
    const on = (port: number) => found.filter((one) => one.port === port);
    t.match(on(port), [{ address: '127.0.0.1', pid, path: folder, process: /^(node|MainThread)/ }]);
    t.match(on(ipv6), [{ address: '::1', pid: process.pid, path: process.cwd() }]);
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
  const one = { port: 3000, address: '*', process: null, pid: null, path: null };
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

t.test('of several on one port, the one that stands most in a way of a server is told', async (t) => {
  const all = { address: '*', pid: 900 };
  const loopback = { address: '::1', pid: 800 };
  const other = { address: '172.17.0.1', pid: 10 };
  t.equal(chooseListener([other, loopback, all]), all);
  t.equal(chooseListener([other, loopback]), loopback);
  t.equal(chooseListener([{ ...all, pid: null }, all, { ...all, pid: 1000 }]), all, 'the lowest pid that is known');
  t.equal(chooseListener([]), null);
});

t.test('only the ports that are asked for are answered', linux, async (t) => {
  const { port } = await listen(t, '127.0.0.1');
  await listen(t, '127.0.0.1');
  t.match(await readListeners(undefined, new Set([port, 1])), [{ port, pid: process.pid }]);
  t.same(await readListeners(undefined, new Set([1])), []);
});

t.test('UDP sockets that receive from everybody count as listening', linux, async (t) => {
  const [receiver, sender] = [createSocket('udp4'), createSocket('udp4')];
  t.teardown(() => [receiver, sender].map((socket) => socket.close()));
  const port = await new Promise<number>((resolve) => receiver.bind(0, () => resolve(receiver.address().port)));
  await new Promise<void>((resolve) => sender.connect(port, '127.0.0.1', resolve));
  const listeners = await readUdpListeners(new Set([port, sender.address().port]));
  t.match(listeners, [{ port, address: '*', pid: process.pid, path: process.cwd() }]);
  t.equal(listeners?.length, 1);
});

t.test('a folder that was removed is told without what the kernel adds', linux, async (t) => {
  const folder = await mkdtemp(join(await realpath(tmpdir()), 'gone-'));
  const { port } = await listenIn(t, folder);
  await rmdir(folder);
  t.match(await readListeners(undefined, new Set([port])), [{ path: folder }]);
});
