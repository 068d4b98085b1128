import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { networkInterfaces } from 'node:os';
import t from 'tap';
import { findUnusable } from '../../src/machine/try-to-listen.js';
import { listen } from '../helpers/listeners.js';
import { findFreeBlock } from '../helpers/machine.js';

t.test('a listener on any address makes a port unusable, as it does for a server on all addresses', async (t) => {
  const others = Object.values(networkInterfaces()).flatMap((some) => some?.filter(({ internal }) => !internal) ?? []);
  const addresses = ['127.0.0.1', '::1', '0.0.0.0', '::', '127.0.0.5', ...others.slice(0, 1).map((one) => one.address)];
  const start = await findFreeBlock();
  for (const [index, address] of addresses.entries()) {
    await listen(t, address, start + index);
    t.strictSame([...(await findUnusable('tcp', [start + index]))], [start + index], address);
  }
  const after = start + addresses.length;
  t.strictSame([...(await findUnusable('tcp', [start, after, start + 1]))], [start, start + 1]);
  t.strictSame([...(await findUnusable('udp', [start]))], [], 'the ports of TCP are not those of UDP');
});

t.test('a bound UDP socket makes its port unusable for UDP', async (t) => {
  const start = await findFreeBlock();
  for (const [index, type] of (['udp4', 'udp6'] as const).entries()) {
    const socket = createSocket(type).bind(start + index, type === 'udp4' ? '127.0.0.1' : '::1');
    await once(socket, 'listening');
    t.teardown(() => socket.close());
    t.strictSame([...(await findUnusable('udp', [start + index]))], [start + index], type);
    t.strictSame([...(await findUnusable('tcp', [start + index]))], []);
  }
});

t.test('a trial leaves nothing behind, and two trials at a time do not take each other for a server', async (t) => {
  const start = await findFreeBlock();
  const ports = Array.from({ length: 50 }, (_, i) => start + i);
  const found = await Promise.all([...Array(20)].map(() => findUnusable('tcp', ports)));
  t.strictSame(
    found.flatMap((unusable) => [...unusable]),
    [],
  );
  for (const port of ports.slice(0, 5)) await listen(t, '0.0.0.0', port);
});

t.test('addresses that are tried one by one, as on macOS and Windows, are tried indeed', async (t) => {
  for (const protocol of ['tcp', 'udp'] as const) {
    for (const address of ['0.0.0.0', '127.0.0.1', '::1']) {
      const start = await findFreeBlock();
      const ports = [start, start + 1];
      t.strictSame([...(await findUnusable(protocol, ports, [address]))], [], `${protocol} ${address}, nobody listens`);
      if (protocol === 'tcp') {
        await listen(t, address, start);
      } else {
        const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4').bind(start, address);
        await once(socket, 'listening');
        t.teardown(() => socket.close());
      }
      t.strictSame([...(await findUnusable(protocol, ports, [address]))], [start], `${protocol} ${address}`);
    }
  }
});
