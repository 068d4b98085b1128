import t from 'tap';
import { type KernelList, readKernelList } from '../../../src/services/listeners/kernel-list.js';
import { listen } from '../../helpers/listeners.js';

const linux = { skip: process.platform !== 'linux' };

t.test('the kernel knows the ports on which something listens, on either address family', linux, async (t) => {
  const ipv4 = await listen(t, '127.0.0.1');
  const ipv6 = await listen(t, '::1');
  const listening = (await readKernelList()) as KernelList;
  t.ok(listening.all.has(ipv4.port));
  t.ok(listening.all.has(ipv6.port));
  t.notOk(listening.ipv6.has(ipv4.port));
  t.ok(listening.ipv6.has(ipv6.port));
  t.notOk(listening.all.has(1));
});
