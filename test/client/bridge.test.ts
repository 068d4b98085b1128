import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { LATEST_PROTOCOL_VERSION, SUPPORTED_PROTOCOL_VERSIONS } from '@modelcontextprotocol/server';
import t from 'tap';
import { findFreePort } from '../../scripts/postgres.js';
import { makeApp } from '../helpers/app.js';
import { type Message, openBridge as open, serve } from '../helpers/bridge.js';
import { openPostgres } from '../helpers/database.js';
import { WITH_KEYS } from '../helpers/keys.js';

const call = (id: unknown, name: string, input: object) => ({
  id,
  method: 'tools/call',
  params: { name, arguments: input },
});
const byId = (messages: Message[]) => Object.fromEntries(messages.map((message) => [String(message.id), message]));

t.test('the real service', async (t) => {
  const url = await (await makeApp(t, await openPostgres(t))).listen({ host: '127.0.0.1', port: 0 });

  t.test('a line that is no message is refused, and the bridge goes on', async (t) => {
    const { input, send, finish } = open(url);
    input.write('{"jsonrpc":\n\n');
    input.write('[{"jsonrpc":"2.0","id":1,"method":"ping"}]\r\n');
    send(
      { id: 'a', method: { toString: 1 } },
      { id: 2, result: {} },
      call('b', 'get-port', { project: 'odin', service: 'web' }),
    );
    input.write(`"${'x'.repeat(5_000_000)}"\n`);
    send(call(3, 'update-port', { project: 'odin', service: 'web', description: 'x'.repeat(1_500_000) }));
    const messages = await finish();
    const { a, b, 3: large } = byId(messages);
    t.same(
      messages.filter(({ id }) => id === null).map(({ error }) => error.code),
      [-32700, -32000, -32600],
    );
    t.equal(a.error.code, -32600, 'a refusal gets the id of its request');
    t.equal(b.result.structuredContent.port, 3300);
    t.match(large.result, { isError: true, content: [{ text: /^payload-too-large: Bodies may have 1 MiB\./ }] });
    t.equal(messages.length, 6);
  });

  t.test('by the revision 2026-07-28, each request has its headers', async (t) => {
    const { send, finish } = open(url);
    const _meta = {
      'io.modelcontextprotocol/protocolVersion': '2026-07-28',
      'io.modelcontextprotocol/clientInfo': { name: 'test', version: '1' },
      'io.modelcontextprotocol/clientCapabilities': {},
    };
    send(
      { id: 1, method: 'server/discover', params: { _meta } },
      {
        id: 2,
        method: 'tools/call',
        params: { _meta, name: 'get-port', arguments: { project: 'odin', service: 'web' } },
      },
      { id: 3, method: 'tools/call', params: { _meta, name: 'größe', arguments: {} } },
    );
    const { 1: discovered, 2: called, 3: unknown } = byId(await finish());
    t.ok(discovered.result.capabilities);
    t.equal(called.result.structuredContent.port, 3300);
    t.match(unknown.error, { code: -32602, message: /no tool größe/ });
  });

  t.test('a large answer is whole', async (t) => {
    const services = Array.from({ length: 250 }, (_, i) => `s${i}`);
    const { send, finish } = open(url);
    send(call('all', 'get-environment-ports', { project: 'shared-services', services }));
    t.equal((await finish()).length, 1);
    const describing = open(url);
    const description = 'x'.repeat(1000);
    for (const service of services)
      describing.send(call(service, 'update-port', { project: 'shared-services', service, description }));
    t.equal((await describing.finish()).length, 250);
    const next = open(url);
    next.send(call('list', 'list-ports', { project: 'shared-services', limit: 1000 }));
    const [{ result }] = await next.finish();
    t.ok(JSON.stringify(result).length > 200_000);
  });
});

t.test('where keys are in force, a client without one is told what to do', async (t) => {
  const app = await makeApp(t, await openPostgres(t), WITH_KEYS);
  const { send, finish } = open(await app.listen({ host: '127.0.0.1', port: 0 }));
  send(call(1, 'get-port', { project: 'odin', service: 'web' }));
  const [message] = await finish();
  t.match(message, {
    id: 1,
    result: { isError: true, content: [{ text: /^unauthorized: .*PORT_ALLOCATOR_API_KEY/s }] },
  });
});

t.test('a service that cannot be reached is told in answer to each request, and to no notification', async (t) => {
  const { send, finish } = open('http://127.0.0.1:1');
  send({ id: 1, method: 'initialize', params: { protocolVersion: '2025-03-26' } });
  send({ method: 'notifications/initialized' }, { id: 2, method: 'tools/list' }, call(3, 'get-port', {}));
  send({ id: 4, method: 'resources/list' });
  const messages = await finish();
  const told = /Nobody listens on 127\.0\.0\.1:1 /;
  t.match(byId(messages), {
    1: { result: { protocolVersion: '2025-03-26', instructions: told } },
    2: { result: { tools: [{ name: 'get-port', description: told }] } },
    3: { result: { isError: true, content: [{ text: told }] } },
    4: { error: { code: -32000, message: told } },
  });
  t.equal(messages.length, 4);
});

t.test('once the service answers, its tools can be called, and the client is told to list them again', async (t) => {
  const app = await makeApp(t, await openPostgres(t));
  const url = `http://127.0.0.1:${await findFreePort()}`;
  const { send, finish, next } = open(url);
  send({ id: 1, method: 'tools/list' });
  const [{ inputSchema }] = (await next()).result.tools;
  await app.listen({ host: '127.0.0.1', port: Number(new URL(url).port) });
  send(call(2, 'get-port', { project: 'odin', service: 'web' }));
  t.match(await next(), { id: 2, result: { structuredContent: { port: 3300 } } });
  t.match(await next(), { method: 'notifications/tools/list_changed' });
  send({ id: 3, method: 'tools/list' });
  const { tools } = (await next()).result;
  t.ok(tools.length > 9);
  t.same(await finish(), [], 'it is told once');
  const [getPort] = tools;
  t.equal(getPort.name, 'get-port');
  for (const field of Object.keys(inputSchema.properties)) t.ok(field in getPort.inputSchema.properties, field);
  t.same(inputSchema.required, getPort.inputSchema.required);
});

t.test('a client that lists the tools again by itself is not told to', async (t) => {
  const app = await makeApp(t, await openPostgres(t));
  const url = `http://127.0.0.1:${await findFreePort()}`;
  const { send, finish, next } = open(url);
  const initialize = { method: 'initialize', params: { protocolVersion: '2025-06-18', capabilities: {} } };
  const announced = { protocolVersion: '2025-06-18', capabilities: { tools: { listChanged: true } } };
  send({ id: 1, ...initialize });
  t.match((await next()).result, announced, 'by the bridge');
  send({ id: 2, method: 'tools/list' });
  t.equal((await next()).result.tools.length, 1);
  await app.listen({ host: '127.0.0.1', port: Number(new URL(url).port) });
  send({ id: 3, method: 'tools/list' });
  t.ok((await next()).result.tools.length > 9);
  const clientInfo = { name: 'test', version: '1' };
  send({ id: 4, ...initialize, params: { ...initialize.params, clientInfo } });
  const messages = await finish();
  t.match(messages, [{ id: 4, result: announced }], 'by the service');
  t.equal(messages.length, 1);
});

t.test('what another server answers is no answer, and its text reaches nobody', async (t) => {
  for (const [status, type, body] of [
    [200, 'application/json', '{"secret":1}'],
    [404, 'application/json', '{"error":"secret"}'],
    [200, 'text/plain', 'secret'],
    [204, 'text/plain', ''],
    [502, 'text/html', 'secret'],
    [200, 'text/event-stream', 'data: hello secret\n\n'],
    [200, 'text/event-stream', 'data: {"secret":1}\n\n'],
    [200, 'text/event-stream', ': nothing\n\n'],
  ] as const) {
    const url = await serve(t, (_request, response) => response.writeHead(status, { 'content-type': type }).end(body));
    const { send, finish } = open(url);
    send(call(1, 'get-port', {}), { method: 'notifications/initialized' });
    const messages = await finish();
    t.match(messages, [{ id: 1, result: { isError: true, content: [{ text: / is no Port Allocator, but / }] } }]);
    t.equal(messages.length, 1);
    t.notMatch(JSON.stringify(messages), /secret/);
  }
});

t.test('the bridge begins with the revisions of the protocol that the service takes', async (t) => {
  const { send, finish } = open('http://127.0.0.1:1');
  const asked = ['1999-01-01', ...SUPPORTED_PROTOCOL_VERSIONS];
  for (const protocolVersion of asked) send({ id: protocolVersion, method: 'initialize', params: { protocolVersion } });
  const messages = byId(await finish());
  t.same(
    asked.map((version) => messages[version].result.protocolVersion),
    [LATEST_PROTOCOL_VERSION, ...SUPPORTED_PROTOCOL_VERSIONS],
  );
});

t.test('events are passed on in their order, and a cancelled request is ended and not answered', async (t) => {
  let closed = false;
  const progress = (n: number) =>
    `event: message\ndata: {"jsonrpc":"2.0",\ndata: "method":"notifications/progress","params":{"progress":${n}}}\n\n`;
  const url = await serve(t, (request, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write(`: a comment\n\nid: 1\ndata:\n\n${progress(1)}`);
    if (request.headers['mcp-name'] === undefined && request.url === '/mcp') response.write(progress(2));
    request.on('data', (body) => {
      if (String(body).includes('forever')) response.once('close', () => (closed = true));
      else
        response.end('data: {"jsonrpc":"2.0","id":1,"result":{}}\n\ndata: what follows an answer is no other one\n\n');
    });
  });
  const { send, finish, output } = open(url);
  send(call(1, 'audit-ports', {}));
  await once(output, 'readable');
  send(call('1', 'forever', {}));
  await sleep(100);
  send({ method: 'notifications/cancelled', params: { requestId: '1' } });
  while (!closed) await sleep(10);
  const messages = await finish();
  const results = messages.filter(({ id }) => id !== undefined);
  t.same(results, [{ jsonrpc: '2.0', id: 1, result: {} }]);
  const sent = messages.filter(({ method }) => method === 'notifications/progress');
  t.same(
    sent.map(({ params }) => params.progress),
    [1, 2, 1, 2],
  );
});

t.test('a call whose answer is lost is repeated with the same key, and says that it is', async (t) => {
  for (const tools of [undefined, 'all']) {
    const seen: [key: unknown, repeated: unknown][] = [];
    const url = await serve(t, ({ headers, socket }, response) => {
      seen.push([headers['idempotency-key'], headers.repeated]);
      if (seen.length < 3) socket.destroy();
      else response.writeHead(200, { 'content-type': 'application/json' }).end('{"jsonrpc":"2.0","id":1,"result":{}}');
    });
    const { send, finish } = open(url, { tools });
    send(call(1, 'allocate-port', { project: 'odin', service: 'web' }));
    t.match(await finish(), [{ id: 1, result: {} }]);
    const key = seen[0]?.[0];
    t.match(key, /^[0-9a-f-]{36}$/);
    t.same(
      seen,
      [
        [key, undefined],
        [key, 'true'],
        [key, 'true'],
      ],
      `tools: ${tools}`,
    );
  }
});

t.test('a service that hangs is given up, unless it audits', async (t) => {
  const url = await serve(t, () => {});
  const { send, finish, next } = open(url, { silenceMs: 200 });
  send(call('audit', 'audit-ports', {}), call('port', 'get-port', { service: 'web' }));
  t.match(await next(), {
    id: 'port',
    result: { isError: true, content: [{ text: /gave no answer within 0\.2 s, .* do not choose ports yourself\.$/ }] },
  });
  send({ method: 'notifications/cancelled', params: { requestId: 'audit' } });
  t.same(await finish(), [], 'the audit may take any time');
});

t.test('a client that does not read its answers gets no more of them', async (t) => {
  let calls = 0;
  const url = await serve(t, (_request, response) => {
    calls += 1;
    const result = { text: 'x'.repeat(50_000) };
    response
      .writeHead(200, { 'content-type': 'application/json' })
      .end(JSON.stringify({ jsonrpc: '2.0', id: 1, result }));
  });
  const { send, finish } = open(url);
  const asked = 600;
  for (let i = 0; i < asked; i++) send({ id: i, method: 'ping' });
  for (let before = -1; before !== calls; await sleep(300)) before = calls;
  t.ok(calls < 300, `${calls} of ${asked} were asked`);
  t.equal((await finish()).length, asked);
});
