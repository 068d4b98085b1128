// How many connections there may be, by address and in all.
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import Fastify, { type FastifyBaseLogger } from 'fastify';
import t, { type Test } from 'tap';
import { unobserved } from '../../../src/observer.js';
import { Connections } from '../../../src/plugins/limits/connections.js';

const PROXY = '127.0.0.200';

async function start(t: Test, limits: { total: number; perNetwork: number }) {
  const lines: object[] = [];
  const reasons: string[] = [];
  const log = { warn: (line: object) => lines.push(line) } as unknown as FastifyBaseLogger;
  const observer = { ...unobserved, cut: (reason: string) => void reasons.push(reason) };
  const connections = new Connections(log, observer, [PROXY], limits);
  const app = Fastify();
  connections.watch(app.server);
  app.get('/', () => 'ok');
  await app.listen({ host: '127.0.0.1', port: 0 });
  t.teardown(() => app.close());
  const { port } = app.server.address() as { port: number };
  /** Opens a connection and sends a request. @returns whether it is answered */
  const open = (localAddress: string): Promise<{ socket: Socket; isAnswered: boolean }> =>
    new Promise((resolve) => {
      const socket = connect({ port, host: '127.0.0.1', localAddress });
      t.teardown(() => socket.destroy());
      socket.on('error', () => {}).on('close', () => resolve({ socket, isAnswered: false }));
      socket.on('data', () => resolve({ socket, isAnswered: true }));
      socket.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n');
    });
  return { connections, lines, reasons, open };
}

t.test('an address has so many connections and no more; those of a proxy count in all only', async (t) => {
  const { lines, reasons, open } = await start(t, { total: 8, perNetwork: 2 });
  const first = await open('127.0.0.1');
  t.equal(first.isAnswered, true);
  t.equal((await open('127.0.0.1')).isAnswered, true);
  for (let i = 0; i < 3; i++) t.equal((await open('127.0.0.1')).isAnswered, false);
  t.equal((await open('127.0.0.9')).isAnswered, true, 'another address');
  first.socket.destroy();
  await sleep(50);
  t.equal((await open('127.0.0.1')).isAnswered, true, 'there is room again');
  for (let i = 0; i < 5; i++) t.equal((await open(PROXY)).isAnswered, true, 'a proxy has more');
  t.equal((await open(PROXY)).isAnswered, false, 'until all are taken');
  t.equal((await open('127.0.0.9')).isAnswered, false);
  const address = 'too-many-from-address';
  t.same(reasons, [address, address, address, 'too-many', 'too-many']);
  await sleep(1100);
  t.same(
    lines,
    [
      { reason: address, connections: 3, unreadBytes: 0, addresses: ['127.0.0.1'] },
      { reason: 'too-many', connections: 2, unreadBytes: 0, addresses: [PROXY, '127.0.0.9'] },
    ],
    'a line for each reason',
  );
});

t.test('nothing is left of connections that are closed', async (t) => {
  const { connections, open } = await start(t, { total: 100, perNetwork: 100 });
  const opened = await Promise.all(
    Array.from({ length: 20 }, (_, i) => open(`127.0.0.${i % 4}`.replace('.0.0.0', '.0.0.5'))),
  );
  t.equal([...connections].length, 20);
  for (const { socket } of opened) socket.destroy();
  await sleep(100);
  t.equal([...connections].length, 0);
});
