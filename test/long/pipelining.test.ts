// Requests that a client sends without waiting for answers: one after another, and none after the client has gone.
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { makeApp, requester } from '../helpers/app.js';
import { openPostgres } from '../helpers/database.js';
import { until } from '../helpers/until.js';

const WAIT_MS = 20;

/** The app with a route `/turns/:name` that waits until it is told to answer. */
async function start(t: Test) {
  const app = await makeApp(t, await openPostgres(t));
  const begun: string[] = [];
  const answers = new Map<string, () => void>();
  app.get<{ Params: { name: string } }>('/turns/:name', { schema: { hide: true } }, async ({ params }) => {
    begun.push(params.name);
    await new Promise<void>((resolve) => answers.set(params.name, resolve));
    return params.name;
  });
  let open = 0;
  app.server.prependListener('request', (_request, response) => {
    open += 1;
    response.once('close', () => {
      open -= 1;
    });
  });
  await app.listen({ host: '127.0.0.1', port: 0 });
  const { port } = app.server.address() as { port: number };
  return {
    app,
    begun,
    answer: (name: string) => answers.get(name)?.(),
    unfinished: () => open,
    /** Sends a request for each name. @returns the socket, and what has come back so far */
    send(names: string[], headers = ''): { socket: Socket; text(): string; ended: Promise<unknown> } {
      const socket = connect(port, '127.0.0.1');
      t.teardown(() => socket.destroy());
      let text = '';
      socket.on('error', () => {}).setEncoding('utf8');
      socket.on('data', (data) => {
        text += data;
      });
      const ended = new Promise((resolve) => socket.once('close', resolve));
      socket.write(names.map((name) => `GET /turns/${name} HTTP/1.1\r\nHost: localhost\r\n${headers}\r\n`).join(''));
      return { socket, text: () => text, ended };
    },
  };
}

t.test('a request begins when the answer before it has been sent', async (t) => {
  const { begun, answer, send, unfinished } = await start(t);
  const { text } = send(['a', 'b', 'c']);
  for (const [i, name] of ['a', 'b', 'c'].entries()) {
    await until(() => begun.length > i);
    await sleep(WAIT_MS);
    t.same(begun, ['a', 'b', 'c'].slice(0, i + 1), `no other request is handled during ${name}`);
    answer(name);
  }
  await until(() => text().endsWith('\r\n\r\nc'));
  t.same(
    [...text().matchAll(/\r\n\r\n(\w)/g)].map(([, name]) => name),
    ['a', 'b', 'c'],
  );
  await until(() => unfinished() === 0);
  t.equal(unfinished(), 0);
});

t.test('what waits is never handled after its client has gone, and nothing of it is left', async (t) => {
  const { begun, answer, send, unfinished } = await start(t);
  for (const [first, leave] of [
    ['destroyed', (socket: Socket) => void socket.destroy()],
    ['reset', (socket: Socket) => void socket.resetAndDestroy()],
    ['ended', (socket: Socket) => void socket.end()],
  ] as const) {
    begun.length = 0;
    const { socket } = send([first, 'waiting', 'waiting', 'waiting']);
    await until(() => begun.length > 0 && unfinished() === 4);
    t.equal(unfinished(), 4);
    leave(socket);
    await until(() => unfinished() === 0);
    t.equal(unfinished(), 0, 'each answer was reported as closed');
    answer(first);
    await sleep(WAIT_MS);
    t.same(begun, [first]);
  }
});

t.test('what waits is not handled after an answer that closes the connection', async (t) => {
  const { app, begun, answer, send, unfinished } = await start(t);
  app.server.on('request', (_request, response) => response.setHeader('connection', 'close'));
  const { ended } = send(['a', 'b', 'c']);
  await until(() => begun.length > 0 && unfinished() === 3);
  answer('a');
  await ended;
  await until(() => unfinished() === 0);
  t.equal(unfinished(), 0);
  t.same(begun, ['a']);
});

t.test('a refusal before the turn comes in the order of the requests', async (t) => {
  const { begun, answer, send } = await start(t);
  const { socket, text, ended } = send(['a']);
  socket.write('GET /turns/% HTTP/1.1\r\nHost: localhost\r\n\r\nno request\r\n\r\n');
  await until(() => begun.length > 0);
  await sleep(WAIT_MS);
  t.equal(text(), '');
  answer('a');
  await ended;
  t.match(text(), /^HTTP\/1.1 200 .*HTTP\/1.1 400 .*URL is malformed.*HTTP\/1.1 400 .*no well-formed HTTP/s);
});

t.test('a connection whose address has too many requests waiting is cut, and the others are not', async (t) => {
  const { app, begun, send, unfinished } = await start(t);
  const few = send(Array.from({ length: 300 }, () => 'few'));
  await until(() => unfinished() === 300);
  const many = send(Array.from({ length: 300 }, () => 'many'));
  await many.ended;
  t.same(begun, ['few', 'many']);
  t.equal(few.socket.destroyed, false);
  const { text } = await requester(app)('GET', '/metrics');
  t.match(text, 'port_allocator_connections_cut_total{reason="too-many-pipelined"} 1\n');
});

for (const [what, name] of [
  ['well-formed', 'a'],
  ['malformed', '%'],
] as const) {
  t.test(`of a flood of ${what} requests, no more are made than may wait`, async (t) => {
    const { app, send } = await start(t);
    let made = 0;
    app.server.prependListener('request', () => {
      made += 1;
    });
    const { ended } = send(Array.from({ length: 3000 }, () => name));
    await ended;
    t.equal(made, 1 + 512 + 1, 'one that is handled, those that wait, and the one for which the connection is cut');
  });
}
