import { once } from 'node:events';
import { Agent, get, type IncomingMessage } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import Fastify from 'fastify';
import t, { type Test } from 'tap';
import { closeServer } from '../../src/process/close-server.js';

/** The same as in the service, and longer than any test waits. */
const KEEP_ALIVE_MS = 95_000;

/** A server whose `/slow` answers when `answer` is called. */
async function startServer(t: Test) {
  const app = Fastify({ keepAliveTimeout: KEEP_ALIVE_MS, forceCloseConnections: 'idle', return503OnClosing: false });
  let answer = () => {};
  const asked = new Promise<void>((resolve) => {
    app.get('/slow', (_request, reply) => {
      reply.hijack();
      reply.raw.writeHead(200, { 'content-length': 2 }).write('o');
      answer = () => reply.raw.end('k');
      resolve();
    });
  });
  await app.listen({ host: '127.0.0.1', port: 0 });
  t.teardown(() => app.server.closeAllConnections());
  return { app, port: (app.server.address() as AddressInfo).port, asked, answer: () => answer() };
}

t.test('a connection that its client keeps open after the last answer does not delay closing', async (t) => {
  const { app, port, asked, answer } = await startServer(t);
  const agent = new Agent({ keepAlive: true });
  t.teardown(() => agent.destroy());
  const answered = once(get({ port, host: '127.0.0.1', path: '/slow', agent }), 'response');
  await asked;
  const closed = closeServer(app, null);
  // Fastify first closes the connections that are idle. Answering only after that makes this one idle too late for it.
  while (app.server.listening) await sleep(5);
  answer();
  const [response] = (await answered) as [IncomingMessage];
  t.same((await response.toArray()).join(''), 'ok', 'what was under way is answered');
  await closed;
});

t.test('a connection on which no request was sent is cut after the time limit', async (t) => {
  const { app, port } = await startServer(t);
  const silent = connect(port, '127.0.0.1');
  await Promise.all([once(silent, 'connect'), once(app.server, 'connection')]);
  const cut = once(silent, 'close');
  silent.resume();
  const began = performance.now();
  await closeServer(app, 300);
  t.ok(performance.now() - began >= 290);
  await cut;
});
