import { spawn } from 'node:child_process';
import { once } from 'node:events';
import t from 'tap';
import { type Listeners, nameListeners, readListeners } from '../../../src/services/listeners/loopback.js';
import { listen } from '../../helpers/listeners.js';

const linux = { skip: process.platform !== 'linux' };

t.test('the kernel knows who listens, on either address family', linux, async (t) => {
  const ipv4 = await listen(t, '127.0.0.1');
  const ipv6 = await listen(t, '::1');
  const listeners = (await readListeners()) as Listeners;
  t.ok(listeners.inodes.has(ipv4.port));
  t.ok(listeners.inodes.has(ipv6.port));
  t.notOk(listeners.ipv6Loopback.has(ipv4.port));
  t.ok(listeners.ipv6Loopback.has(ipv6.port));
  const names = await nameListeners(listeners, [ipv4.port, ipv6.port, 1]);
  const self = `node, pid ${process.pid}`;
  t.same(
    [...names].sort(),
    [
      [ipv4.port, self],
      [ipv6.port, self],
    ].sort(),
  );
});

t.test('another process is named by its program', linux, async (t) => {
  const code = "const s = require('net').createServer().listen(0, '::', () => console.log(s.address().port))";
  const child = spawn(process.execPath, ['-e', code], { env: {}, stdio: ['ignore', 'pipe', 'inherit'] });
  t.teardown(() => child.kill());
  const port = Number((await once(child.stdout, 'data'))[0]);
  const listeners = (await readListeners()) as Listeners;
  t.ok(listeners.ipv6Loopback.has(port), 'a wildcard listener answers on ::1 too');
  t.equal((await nameListeners(listeners, [port])).get(port), `node, pid ${child.pid}`);
});
