import { realpath } from 'node:fs/promises';
import t from 'tap';
import { loadConfig } from '../../../src/config.js';
import { LocalListeners, nameListener } from '../../../src/services/listeners/local-listeners.js';
import { listen, listenIn } from '../../helpers/listeners.js';

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

t.test('a listener is named by its program, pid and folder', async (t) => {
  const listener = { port: 1, address: '*', process: 'node', pid: 812, path: '/home/kim/\u202eshop' };
  t.equal(nameListener(listener), 'node, pid 812, in /home/kim/\\u{202e}shop');
  t.equal(nameListener({ ...listener, pid: null, path: null }), 'node');
  t.equal(nameListener({ ...listener, process: null }), 'a process that cannot be identified from here');
  t.equal(nameListener(null), 'a process that cannot be identified from here');
});
