// Answers that nobody reads: how long they are kept, and how many bytes of them.
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import Fastify from 'fastify';
import t, { type Test } from 'tap';
import { unobserved } from '../../src/observer.js';
import { Connections } from '../../src/plugins/limits/connections.js';
import { registerUnreadAnswers } from '../../src/plugins/limits/unread-answers.js';
import { until } from '../helpers/until.js';

const MIB = 1024 * 1024;
/** More than the kernel takes of a connection on loopback, which is up to 6 MB. */
const LARGE = 16 * MIB;

async function start(t: Test, limits: { readMs: number; bytes: number }) {
  const reasons: string[] = [];
  const observer = { ...unobserved, cut: (reason: string) => void reasons.push(reason) };
  const app = Fastify();
  const connections = new Connections(app.log, observer, []);
  connections.watch(app.server);
  registerUnreadAnswers(app, connections, limits);
  const bytes = Buffer.alloc(LARGE, 'x');
  app.get('/', (_request, reply) => reply.send(bytes));
  await app.listen({ host: '127.0.0.1', port: 0 });
  t.teardown(() => app.close());
  const { port } = app.server.address() as { port: number };
  /** Sends a request, and reads nothing of the answer. */
  const ask = async (): Promise<Socket> => {
    const socket = connect(port, '127.0.0.1');
    t.teardown(() => socket.destroy());
    socket.on('error', () => {}).pause();
    socket.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n');
    await sleep(100);
    return socket;
  };
  const unread = () => [...connections].reduce((sum, { socket }) => sum + socket.writableLength, 0);
  return { reasons, ask, unread, open: () => [...connections].length };
}

t.test('a client that does not read is cut, and one that reads in time is not', async (t) => {
  const { reasons, ask, unread, open } = await start(t, { readMs: 3000, bytes: 10 * LARGE });
  const reader = await ask();
  let read = 0;
  reader.on('data', (data) => {
    read += data.length;
  });
  reader.pause();
  await ask();
  t.equal(open(), 2);
  t.ok(unread() > LARGE, `${unread()} bytes are unread`);
  await sleep(300);
  reader.resume();
  await until(() => reasons.length > 0);
  await sleep(500);
  t.same(reasons, ['unread-too-long']);
  t.equal(open(), 1);
  t.ok(read > LARGE, 'the other has read everything');
  t.equal(unread(), 0);
});

t.test('when too much is unread, the connections that have waited longest are cut', async (t) => {
  const { reasons, ask, unread, open } = await start(t, { readMs: 60_000, bytes: 4 * LARGE });
  const sockets: Socket[] = [];
  for (let i = 0; i < 8; i++) {
    sockets.push(await ask());
    await sleep(300);
    t.ok(unread() <= 4 * LARGE, `${unread()} bytes`);
  }
  t.same(new Set(reasons), new Set(['unread-too-much']));
  t.ok(open() >= 3 && open() < 8);
  for (const socket of sockets) socket.resume();
  // A client learns that its connection was cut only when it has read what the kernel had taken.
  const isOpen = ({ destroyed, readableEnded }: Socket) => !destroyed && !readableEnded;
  for (let i = 0; i < 200 && sockets.filter(isOpen).length > open(); i++) await sleep(50);
  const left = sockets.map(isOpen);
  t.same(left.indexOf(true), 8 - open(), 'the first ones');
  t.equal(left.lastIndexOf(false), 8 - open() - 1);
});
