import { once } from 'node:events';
import { createServer, type IncomingMessage, type RequestListener } from 'node:http';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import t, { type Test } from 'tap';
import { type Connection, connect } from '../../src/client/connection.js';
import type { ClientFailure } from '../../src/client/failure.js';
import { makeApp } from '../helpers/app.js';
import { openPostgres } from '../helpers/database.js';
import { ADMIN_KEY, WITH_KEYS } from '../helpers/keys.js';

const connectTo = (url: string, apiKey: string | null = null): Connection =>
  connect({ url, apiKey, dataDir: '', project: null, environment: null });

/** What a call failed with. */
async function failureOf(calling: Promise<unknown>): Promise<ClientFailure> {
  try {
    await calling;
  } catch (error) {
    return error as ClientFailure;
  }
  throw new Error('the call did not fail');
}

/** Answers requests with these functions, one after the other, and with the last for ever. */
async function serve(t: Test, ...answers: RequestListener[]) {
  const requests: IncomingMessage[] = [];
  const server = createServer((request, response) => {
    answers[Math.min(requests.length, answers.length - 1)]?.(request, response);
    requests.push(request);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { requests, connection: connectTo(url), url };
}

const dies: RequestListener = (request) => request.socket.destroy();
const succeeds: RequestListener = (_request, response) => {
  response.writeHead(200, { 'content-type': 'application/json' }).end('{"port":3100}');
};
const isBusy: RequestListener = (_request, response) => {
  const problem = { status: 503, code: 'overloaded', detail: 'Too much to do.' };
  response
    .writeHead(503, { 'content-type': 'application/problem+json', 'retry-after': '0' })
    .end(JSON.stringify(problem));
};

t.test('calls of the real service', async (t) => {
  const app = await makeApp(t, await openPostgres(t), WITH_KEYS);
  const url = await app.listen({ host: '127.0.0.1', port: 0 });
  const connection = connectTo(url, ADMIN_KEY);
  const path = '/v1/projects/odin/services/web';
  t.match(await connection.send({ method: 'PUT', path }), { port: 3300 });
  const query = { project: 'odin', host: undefined, limit: 1 };
  t.match(await connection.send({ method: 'GET', path: '/v1/allocations', query }), { items: [{ port: 3300 }] });
  t.equal(await connection.send({ method: 'GET', path, headers: { accept: 'text/plain' } }), '3300');
  const allocate = { method: 'POST', path: '/v1/projects/odin/allocations', body: { service: 'api' } } as const;
  t.match(await connection.send(allocate), { port: 3301 });
  t.match(await connection.send(allocate), { port: 3302 }, 'each call has an idempotency key of its own');

  const refused = await failureOf(connection.send({ method: 'GET', path: '/v1/projects/odin/services/none' }));
  t.match(refused, { kind: 'refused', exitCode: 1, problem: { code: 'allocation-not-found', requestId: /./ } });
  t.equal(refused.message, 'odin/none holds no tcp port on localhost in environment default.');
  t.match(refused.nextStep, /port-allocator ls/);

  for (const key of [null, 'pa_wrong']) {
    const failure = await failureOf(connectTo(url, key).send({ method: 'GET', path }));
    t.match(failure, { kind: 'refused', problem: { code: 'unauthorized' }, nextStep: /^Set PORT_ALLOCATOR_API_KEY / });
    t.notMatch(failure.message, /Bearer/);
  }
});

t.test('what may be repeated is, with the same idempotency key, and the rest is told', async (t) => {
  for (const [method, path] of [
    ['GET', '/v1/allocations'],
    ['PUT', '/v1/projects/shop/services/web'],
    ['POST', '/v1/projects/shop/allocations'],
  ] as const) {
    const { connection, requests } = await serve(t, dies, isBusy, succeeds);
    t.same(await connection.send({ method, path }), { port: 3100 });
    t.equal(requests.length, 3, `${method} ${path}`);
    t.equal(new Set(requests.map(({ headers }) => headers['idempotency-key'])).size, 1);
    t.equal(requests[0]?.headers['idempotency-key'] !== undefined, method === 'POST');
  }
  for (const method of ['DELETE', 'PATCH'] as const) {
    const { connection, requests } = await serve(t, dies, succeeds);
    const failure = await failureOf(connection.send({ method, path: '/v1/projects/shop/services/web' }));
    t.match(failure, { kind: 'unreachable', exitCode: 3, message: /is not known\.$/, nextStep: /port-allocator ls/ });
    t.equal(requests.length, 1, method);
  }
  const breaking: RequestListener = (request, response) => {
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': '13' }).write('{"po');
    setTimeout(() => request.socket.destroy(), 50);
  };
  const { connection, requests } = await serve(t, breaking, succeeds);
  t.same(
    await connection.send({ method: 'GET', path: '/v1/allocations' }),
    { port: 3100 },
    'an answer that breaks off',
  );
  t.equal(requests.length, 2);
});

t.test('a call that ends the service each time is given up', async (t) => {
  const { connection, requests } = await serve(t, dies);
  t.match(await failureOf(connection.send({ method: 'GET', path: '/v1/allocations' })), { kind: 'unreachable' });
  t.equal(requests.length, 10);
});

t.test('an aborted call throws the reason of its signal', async (t) => {
  const { connection, requests } = await serve(t, () => {});
  const leaving = new AbortController();
  const calling = failureOf(connection.send({ method: 'GET', path: '/v1/ranges', signal: leaving.signal }));
  while (requests.length === 0) await new Promise(setImmediate);
  leaving.abort(new Error('the user left'));
  t.match(await calling, { message: 'the user left' });
  t.equal(requests.length, 1);
});

t.test('what answers at PORT_ALLOCATOR_URL is no Port Allocator', async (t) => {
  const send = (url: string) => failureOf(connectTo(url).send({ method: 'GET', path: '/v1/allocations' }));
  for (const [status, headers, expected] of [
    [502, { 'content-type': 'text/html' }, /no Port Allocator, but .* \(text\/html, Bad Gateway\)\.$/],
    [200, { 'content-type': 'text/html; charset=utf-8' }, /no Port Allocator, but .* \(text\/html\)\.$/],
    [404, { 'content-type': 'application/json' }, /no Port Allocator, but .* \(application\/json, Not Found\)/],
    [
      503,
      { 'content-type': 'text/plain', 'retry-after': '1' },
      /no Port Allocator, but .* \(text\/plain, Service Unavailable\)/,
    ],
    [302, { location: 'https://login.example/' }, /sends clients on to https:\/\/login\.example\/\.$/],
  ] as const) {
    const { url, requests } = await serve(t, (_request, response) => {
      response.writeHead(status, headers).end('{"message":"<html>"}');
    });
    const failure = await send(url);
    t.match(failure, { kind: 'unreachable', exitCode: 3, message: expected, nextStep: /PORT_ALLOCATOR_URL/ });
    t.equal(requests.length, 1);
  }
  const server = createTcpServer((socket) => socket.end('220 mail.example ESMTP\r\n')).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  t.match(await send(`http://127.0.0.1:${port}`), { kind: 'unreachable' });
  t.match(await send(`https://127.0.0.1:${port}`), { message: /does not speak TLS\.$/ });
  server.close();
  t.match(await send(`http://127.0.0.1:${port}`), { message: /^Nobody listens on 127\.0\.0\.1:\d+ / });
  t.match(await send('http://no-such-host.invalid'), { message: /no-such-host\.invalid/ });
});
