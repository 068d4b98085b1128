import { once } from 'node:events';
import { type AddressInfo, connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import Fastify from 'fastify';
import t from 'tap';
import { unobserved } from '../src/observer.js';
import { Connections } from '../src/plugins/limits/connections.js';
import { Pipelining } from '../src/plugins/limits/pipelining.js';
import { whenClosed } from '../src/when-closed.js';

t.test('every request ends once, however it ends', async (t) => {
  const app = Fastify();
  let begun = 0;
  let ended = 0;
  const connections = new Connections(app.log, unobserved, []);
  const pipelining = new Pipelining(connections);
  connections.watch(app.server);
  pipelining.noticeRequests(app);
  app.addHook('onRequest', (_request, reply, done) => {
    begun += 1;
    whenClosed(reply.raw, () => {
      ended += 1;
    });
    done();
  });
  pipelining.takeTurns(app);
  const hanging = new Promise(() => {});
  app.get('/answered', async () => 'x');
  app.get('/never', () => hanging);
  app.post('/never', () => hanging);
  app.get('/cut', (_request, reply) => {
    reply.hijack().raw.write('x');
  });
  await app.listen({ host: '127.0.0.1', port: 0 });
  t.teardown(() => app.close());
  const get = (path: string) => `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`;
  const post = 'POST /never HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n';
  for (const [name, bytes, requests, leave] of [
    ['answered one after another', get('/answered').repeat(20), 20, false],
    // Only the first of these has its answer given to the connection. For the others Node emits no `close`.
    ['behind one that is not answered', get('/never') + get('/answered').repeat(20), 21, true],
    ['with bodies', `${post}{}`.repeat(20), 20, true],
    ['with a body that does not arrive', `${get('/answered')}${post}{`, 2, true],
    ['in the middle of an answer', get('/cut') + get('/answered'), 2, true],
  ] as const) {
    begun = 0;
    ended = 0;
    const socket = connect((app.server.address() as AddressInfo).port, '127.0.0.1');
    socket.resume().write(bytes);
    while (begun < requests) await sleep(5);
    if (leave) socket.destroy();
    while (ended < requests) await sleep(5); // runs into the time limit of the test if one never ends
    socket.destroy();
    if (!leave) await once(socket, 'close');
    await sleep(20);
    t.equal(ended, requests, name);
  }
});

t.test('a request whose connection is gone already ends at once', async (t) => {
  let ended = 0;
  const gone = { destroyed: true } as Parameters<typeof whenClosed>[0];
  whenClosed(gone, () => {
    ended += 1;
  });
  t.equal(ended, 1);
});
