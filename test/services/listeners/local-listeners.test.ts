import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { realpath } from 'node:fs/promises';
import t from 'tap';
import { loadConfig } from '../../../src/config.js';
import { LocalListeners, nameListener } from '../../../src/services/listeners/local-listeners.js';
import { listen, listenIn } from '../../helpers/listeners.js';
import { until } from '../../helpers/until.js';

const linux = { skip: process.platform !== 'linux' };

t.test('this machine is localhost, unless it has a target elsewhere', async (t) => {
  const here = new LocalListeners(loadConfig({}));
  t.ok(here.isHere('localhost'));
  t.notOk(here.isHere('db1'));
  t.notOk(new LocalListeners(loadConfig({ PROBE_TARGETS: 'localhost=docker.internal' })).isHere('localhost'));
});

t.test('each who asks gets what is so then, however many ask together', linux, async (t) => {
  const listeners = new LocalListeners(loadConfig({}));
  const own = await listen(t, '::');
  const folder = await realpath(t.testdir());
  const other = await listenIn(t, folder);
  const asked = [own.port, other.port, 1, own.port].map((port) => listeners.find(port));
  const [first, second, nobody, again] = await Promise.all(asked);
  t.match(first, { address: '*', pid: process.pid, process: 'node', path: process.cwd() });
  t.match(second, { address: '127.0.0.1', pid: other.pid, path: folder });
  t.equal(nobody, null);
  t.same(again, first);
  t.equal(await listeners.find(own.port, 'udp'), null, 'the same number of the other protocol is another port');
  await other.end();
  t.equal(await listeners.find(other.port), null);
});

t.test('the whole list follows what listens, and searches no process again for the same sockets', linux, async (t) => {
  const listeners = new LocalListeners(loadConfig({}));
  const [first, later] = [await realpath(t.testdir({ later: {} })), 'later'];
  const program = `
    process.stdin.once('data', () => { process.chdir(${JSON.stringify(later)}); console.log('moved'); });
    const server = require('node:net').createServer().listen(0, '127.0.0.1', () => console.log(server.address().port));`;
  const child = spawn(process.execPath, ['-e', program], { cwd: first, stdio: ['pipe', 'pipe', 'inherit'], env: {} });
  t.teardown(() => child.kill('SIGKILL'));
  const readLine = async () => String((await once(child.stdout, 'data'))[0]).trim();
  const port = Number(await readLine());
  const listed = async () => (await listeners.list()).find((one) => one.port === port);
  t.match(await listed(), { protocol: 'tcp', process: 'node', pid: child.pid, path: first });
  child.stdin.write('x');
  t.equal(await readLine(), 'moved');
  t.match(await listed(), { path: first });
  t.match(await listeners.find(port), { path: `${first}/later` }, 'as it is found when one asks for the port');
  child.kill('SIGKILL');
  await until(async () => (await listed()) === undefined);
});

t.test('a listener is named by its program, pid and folder', async (t) => {
  const listener = { port: 1, address: '*', process: 'node', pid: 812, path: '/home/kim/\u202eshop' };
  t.equal(nameListener(listener), 'node, pid 812, in /home/kim/\\u{202e}shop');
  t.equal(nameListener({ ...listener, pid: null, path: null }), 'node');
  t.equal(nameListener({ ...listener, process: null }), 'a process that cannot be identified from here');
  t.equal(nameListener(null), 'a process that cannot be identified from here');
});
