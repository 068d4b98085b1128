// What `Accept`, `Content-Type` and `Content-Encoding` decide (RFC 9110, 8.3, 8.4 and 12.5.1).
import { request as send } from 'node:http';
import { connect } from 'node:net';
import { gzipSync } from 'node:zlib';
import t from 'tap';
import { makeApp, requester } from '../helpers/app.js';
import { openPostgres } from '../helpers/database.js';
import { assertProblem } from '../helpers/problems.js';

const JSON_TYPE = 'application/json; charset=utf-8';
const TEXT = 'text/plain; charset=utf-8';
const SERVICE = '/v1/projects/consilio/services/api';

t.test('media types', async (t) => {
  const app = await makeApp(t, await openPostgres(t));
  const request = requester(app);
  const typeOf = async (path: string, accept: string) => {
    const { status, headers } = await request('GET', path, undefined, { accept });
    return status === 200 ? headers['content-type'] : status;
  };
  await request('PUT', SERVICE);

  t.test('whoever asks for exactly the type that an answer carries gets it', async (t) => {
    for (const path of [
      '/',
      '/livez',
      '/metrics',
      '/openapi.json',
      '/openapi.yaml',
      '/v1/ranges',
      SERVICE,
      '/v1/exports/dotenv',
      '/v1/exports/cloudflared',
      '/v1/exports/prometheus',
      '/v1/exports/traefik',
      '/v1/exports/consul',
    ]) {
      const type = await typeOf(path, '*/*');
      t.match(type, /^[a-z]+\/[a-z]+/, path);
      t.equal(await typeOf(path, String(type)), type, `${path} as ${type}`);
    }
    const audit = { accept: 'text/event-stream;charset=UTF-8' };
    t.equal(
      (await request('POST', '/v1/audits', {}, audit)).headers['content-type'],
      'text/event-stream; charset=utf-8',
    );
  });

  t.test('scrapers that name the versions that they read get the metrics', async (t) => {
    for (const accept of [
      // Prometheus 2 and 3, Telegraf, VictoriaMetrics, the OpenTelemetry collector
      'application/openmetrics-text;version=1.0.0;q=0.75,text/plain;version=0.0.4;q=0.5',
      'application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.2',
      'application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.7,text/plain;version=0.0.4;q=0.3',
      'text/plain;version=0.0.4;q=1,*/*;q=0.1',
      'text/plain; version=0.0.4; charset=utf-8',
      'TEXT/PLAIN; Charset="UTF-8"; Version="0.0.4"',
      'text/plain',
      'text/*',
    ]) {
      t.equal(await typeOf('/metrics', accept), 'text/plain; version=0.0.4; charset=utf-8', accept);
    }
    for (const accept of ['text/plain;version=1.0.0', 'application/openmetrics-text', 'text/plain;q=0, */*;q=0']) {
      t.equal(await typeOf('/metrics', accept), 406, accept);
    }
  });

  t.test('of two types the one with the higher weight is sent, by the most specific range', async (t) => {
    for (const [accept, type] of [
      ['application/json, text/plain, */*', JSON_TYPE],
      ['text/plain, application/json;q=0.9', TEXT],
      ['text/plain;charset=utf-8', TEXT],
      ['application/json;charset=utf-8;q=0.2, text/plain;q=0.4', TEXT],
      ['application/json;q=0, */*', TEXT],
      ['text/*;q=0.5, application/*', JSON_TYPE],
      ['application/json;charset=utf-8;q=0, */*', TEXT],
      ['application/problem+json, application/json', JSON_TYPE],
      ['application/json;charset=utf-16, text/plain;q=0.1', TEXT],
      ['application/json;charset=utf-16', 406],
      ['text/plain;version=0.0.4', 406],
      ['application/problem+json', 406],
      ['text/event-stream', 406],
    ] as const) {
      t.equal(await typeOf(SERVICE, accept), type, accept);
    }
    const refusal = await request('GET', SERVICE, undefined, { accept: 'image/png' });
    t.match(assertProblem(t, refusal, 'not-acceptable').detail, `${JSON_TYPE}, or ${TEXT}.`);
  });

  t.test('no Accept excludes an answer without content', async (t) => {
    const { body: range } = await request('POST', '/v1/ranges', { project: 'gone' });
    const accept = 'application/problem+json'; // the only type that generated clients find in the contract
    t.equal((await request('DELETE', `/v1/ranges/${range.startPort}`, undefined, { accept })).status, 204);
  });

  t.test('MCP answers every client that accepts both of its types', async (t) => {
    const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'test', version: '1' } };
    const body = { jsonrpc: '2.0', id: 1, method: 'initialize', params };
    for (const [accept, status] of [
      ['application/json, text/event-stream', 200],
      ['application/json;charset=utf-8, text/event-stream;charset=utf-8', 200],
      ['*/*', 200],
      ['application/*, text/*;q=0.5', 200],
      ['application/json', 406],
      ['text/event-stream;q=0, */*', 406],
    ] as const) {
      t.equal((await request('POST', '/mcp', body, { accept })).status, status, accept);
    }
  });

  t.test('a compressed body is refused as such, and one in another charset too', async (t) => {
    const json = { 'content-type': 'application/json', 'content-encoding': 'gzip' };
    for (const [method, path] of [
      ['PUT', SERVICE],
      ['POST', '/v1/imports'],
      ['POST', '/mcp'],
    ] as const) {
      for (const encoding of ['gzip', 'br', 'deflate', 'zstd', 'identity, gzip']) {
        const answer = await request(method, path, gzipSync('{}'), { ...json, 'content-encoding': encoding });
        t.match(assertProblem(t, answer, 'unsupported-media-type').detail, `"${encoding}"`);
        t.equal(answer.headers['accept-encoding'], 'identity');
      }
    }
    for (const charset of ['latin1', 'ISO-8859-1', '"utf-16"', 'windows-1252']) {
      const answer = await request('PUT', SERVICE, '{}', { 'content-type': `application/json; charset=${charset}` });
      t.match(assertProblem(t, answer, 'unsupported-media-type').detail, /charset ".*"\. Send UTF-8\.$/, charset);
    }
    for (const headers of [
      { 'content-type': 'application/json', 'content-encoding': 'Identity' },
      { 'content-type': 'application/json;charset=UTF-8' },
      { 'content-type': 'application/json; charset="utf-8"' },
      { 'content-type': 'application/json; charset=us-ascii' },
      { 'content-type': 'application/json; profile=x' },
    ] as Record<string, string>[]) {
      t.equal((await request('PUT', SERVICE, '{}', headers)).status, 200, JSON.stringify(headers));
    }
    t.equal((await request('PUT', SERVICE, undefined, { 'content-encoding': 'gzip' })).status, 200, 'without a body');
  });

  t.test('an empty chunked body counts as no body, whatever its media type', async (t) => {
    await app.listen({ host: '127.0.0.1', port: 0 });
    const { port } = app.server.address() as { port: number };
    const chunked = (type: string | null, chunks: string[], method = 'PUT', path = SERVICE) =>
      new Promise<number | undefined>((resolve, reject) => {
        const headers = { 'transfer-encoding': 'chunked', ...(type !== null && { 'content-type': type }) };
        const sending = send({ port, host: '127.0.0.1', method, path, headers }, (answer) => {
          answer.resume().once('end', () => resolve(answer.statusCode));
        }).once('error', reject);
        sending.flushHeaders();
        for (const chunk of chunks) sending.write(chunk);
        setTimeout(() => sending.end(), 20);
      });
    for (const type of [null, 'application/x-www-form-urlencoded', 'text/plain', 'json', 'application/json']) {
      t.equal(await chunked(type, []), 200, `${type}, empty`);
      t.equal(await chunked(type, [], 'POST', '/v1/imports'), 400, `${type}, empty where a body is required`);
      t.equal(await chunked(type, ['{', '}']), type === 'application/json' ? 200 : 415, `${type}, not empty`);
    }
  });

  // A key from the database is looked up while the whole body arrives.
  t.test('an empty chunked body that arrives with its headers is answered at once, with a stored key', async (t) => {
    const secured = await makeApp(t, await openPostgres(t), { ADMIN_API_KEY: 'a'.repeat(32) });
    const admin = { authorization: `Bearer ${'a'.repeat(32)}` };
    const made = await requester(secured)('POST', '/v1/api-keys', { name: 'admin', role: 'admin' }, admin);
    await secured.listen({ host: '127.0.0.1', port: 0 });
    const { port } = secured.server.address() as { port: number };
    for (const target of [`PUT ${SERVICE}`, 'POST /v1/audits']) {
      const socket = connect(port, '127.0.0.1');
      const head = [
        `${target} HTTP/1.1`,
        'Host: localhost',
        `Authorization: Bearer ${made.body.key}`,
        'Content-Type: text/plain',
        'Transfer-Encoding: chunked',
        'Connection: close',
      ];
      socket.write(`${head.join('\r\n')}\r\n\r\n0\r\n\r\n`);
      let received = '';
      for await (const data of socket) received += data;
      t.match(received, /^HTTP\/1\.1 20[01] /, target);
    }
  });
});
