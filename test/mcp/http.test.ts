import t from 'tap';
import { loadConfig } from '../../src/config.js';
import { makeApp, requester } from '../helpers/app.js';
import { openPostgres } from '../helpers/database.js';
import { clients, closeAtEnd, listenMcp } from '../helpers/mcp.js';

const INITIALIZE = {
  jsonrpc: '2.0',
  id: 1,
  method: 'initialize',
  params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'test', version: '1' } },
};
const ACCEPT = { accept: 'application/json, text/event-stream' };

t.test('MCP over HTTP', async (t) => {
  const app = await makeApp(t, await openPostgres(t), { ALLOWED_ORIGINS: 'https://tools.example.com' });
  const url = await listenMcp(app);
  const request = requester(app);

  for (const { name, overHttp } of clients) {
    t.test(`${name} lists the tools and gets a port`, async (t) => {
      const client = await closeAtEnd(t, overHttp(url));
      const { tools } = await client.listTools();
      t.ok(tools.length >= 9);
      const call = { name: 'get-port', arguments: { project: 'odin', service: 'api' } };
      const result = await client.callTool(call);
      t.equal(result.isError ?? false, false);
      t.equal(result.structuredContent.port, 3300);
      t.equal(result.content[0].text, 'api of odin (environment default): 3300');
      t.same((await client.callTool(call)).structuredContent, result.structuredContent);
    });

    t.test(`${name} gets an error of the protocol for an unknown tool`, async (t) => {
      const client = await closeAtEnd(t, overHttp(url));
      await t.rejects(client.callTool({ name: 'take-port' }), { code: -32602, message: /no tool take-port/ });
    });
  }

  t.test('a page of a foreign origin is refused, a local or allowed one is not', async (t) => {
    const post = (origin: string) => request('POST', '/mcp', INITIALIZE, { origin, ...ACCEPT });
    for (const origin of ['https://evil.example', 'null', 'http://localhost.evil.example']) {
      const refusal = await post(origin);
      t.match(refusal, { status: 403, body: { code: 'forbidden', detail: /ALLOWED_ORIGINS/ } }, origin);
    }
    for (const origin of ['http://localhost:5173', 'http://[::1]:3000', 'https://tools.example.com']) {
      t.equal((await post(origin)).status, 200, origin);
    }
  });

  t.test('a foreign Host is refused', async (t) => {
    t.equal((await request('POST', '/mcp', INITIALIZE, { host: 'evil.example', ...ACCEPT })).status, 403);
  });

  t.test('there is no GET and no DELETE, because there is no session', async (t) => {
    for (const method of ['GET', 'DELETE'] as const) {
      const answer = await request(method, '/mcp', undefined, ACCEPT);
      t.match(answer, { status: 405, headers: { allow: 'POST' } });
    }
  });

  t.test('a body that is not JSON or not JSON-RPC gets an error of the protocol', async (t) => {
    const json = { 'content-type': 'application/json', ...ACCEPT };
    t.match(await request('POST', '/mcp', '{', json), { status: 400, body: { error: { code: -32700 } } });
    t.equal((await request('POST', '/mcp', { no: 'message' }, ACCEPT)).status, 400);
  });

  t.test('a batch is refused, whatever is in it, and none of it is executed', async (t) => {
    const call = (service: string) => ({
      jsonrpc: '2.0',
      id: 1,
      method: 'tools/call',
      params: { name: 'get-port', arguments: { project: 'odin', service } },
    });
    for (const batch of [[call('batched'), call('batched')], [call('batched')], []]) {
      const { status, body } = await request('POST', '/mcp', batch, ACCEPT);
      t.equal(status, 400);
      t.match(body, { jsonrpc: '2.0', id: null, error: { code: -32600, message: /one message per request/ } });
    }
    t.equal((await request('GET', '/v1/projects/odin/services/batched')).status, 404);
  });

  t.test('a name that stands twice in one object is refused', async (t) => {
    const json = { 'content-type': 'application/json', ...ACCEPT };
    const body =
      '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"get-port","arguments":' +
      '{"project":"odin","service":"twice","project":"consilio"}}}';
    t.match(await request('POST', '/mcp', body, json), {
      status: 400,
      body: {
        code: 'validation-failed',
        errors: [{ pointer: '/params/arguments/project', detail: 'stands twice in the same object' }],
      },
    });
  });

  t.test('values that REST refuses in a body are refused here too, and nothing is stored', async (t) => {
    const json = { 'content-type': 'application/json', ...ACCEPT };
    const call = (fields: string) =>
      `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"update-port","arguments":{"project":"odin",` +
      `"service":"unfit",${fields}}}}`;
    const bytes = Buffer.from(call('"description":"\xe9"'), 'latin1');
    t.match(await request('POST', '/mcp', bytes, json), { status: 400, body: { code: 'validation-failed' } });
    const nested = (levels: number) => `${'{"a":'.repeat(levels)}1${'}'.repeat(levels)}`;
    for (const [metadata, expected] of [
      ['{"constructor":{"prototype":{"x":1}}}', /validation-failed: \/metadata\/constructor is a name/],
      ['{"__proto__":{"x":1}}', /validation-failed: \/metadata\/__proto__ is a name/],
      [nested(10), /validation-failed: [^ ]+ is nested more than 10 levels/],
    ] as const) {
      t.match((await request('POST', '/mcp', call(`"metadata":${metadata}`), json)).text, expected);
    }
    t.equal((await request('GET', '/v1/projects/odin/services/unfit')).status, 404);
  });

  t.test('a message that is too deep or has too many values is refused as the protocol says, unparsed', async (t) => {
    const json = { 'content-type': 'application/json', ...ACCEPT };
    for (const [params, message] of [
      [`${'['.repeat(3000)}${']'.repeat(3000)}`, /^The message is nested more than 12 levels deep\.$/],
      [`[${'0,'.repeat(70_000)}0]`, /^The message has more than 60000 names and values\.$/],
    ] as const) {
      const answer = await request('POST', '/mcp', `{"jsonrpc":"2.0","id":1,"method":"ping","params":${params}}`, json);
      t.match(answer, { status: 400, body: { jsonrpc: '2.0', id: null, error: { code: -32600, message } } });
    }
  });

  t.test('a body over 1 MiB is refused', async (t) => {
    const call = { ...INITIALIZE, params: { ...INITIALIZE.params, padding: 'x'.repeat(1024 * 1024) } };
    t.match(await request('POST', '/mcp', call, ACCEPT), { status: 413, body: { code: 'payload-too-large' } });
  });

  t.test('an answer carries the caller’s request id', async (t) => {
    const answer = await request('POST', '/mcp', INITIALIZE, { 'x-request-id': 'trace-1', ...ACCEPT });
    t.equal(answer.headers['x-request-id'], 'trace-1');
  });
});

t.test('an entry of ALLOWED_ORIGINS that is no origin is reported', async (t) => {
  t.throws(() => loadConfig({ ALLOWED_ORIGINS: 'https://a.example, b.example' }), {
    message: /ALLOWED_ORIGINS: "b\.example" is no origin/,
  });
});
