import { connect } from 'node:net';
import { setTimeout } from 'node:timers/promises';
import t from 'tap';
import { makeApp } from '../helpers/app.js';
import { openPostgres } from '../helpers/database.js';
import { readRegistry } from '../helpers/rows.js';

t.test('malformed HTTP', async (t) => {
  const { db } = await openPostgres(t);
  const app = await makeApp(t, { db });
  await app.listen({ host: '127.0.0.1', port: 0 });
  const { port } = app.server.address() as { port: number };
  const before = await readRegistry(db);

  /** Sends bytes as they are, and returns everything that comes back until the connection ends. */
  const exchange = (bytes: string) =>
    new Promise<{ head: string; body: string }>((resolve, reject) => {
      const socket = connect(port, '127.0.0.1', () => socket.write(bytes, 'latin1'));
      let text = '';
      socket.setEncoding('utf8').on('data', (chunk) => {
        text += chunk;
      });
      socket.on('error', reject).on('close', () => {
        const [head = '', body = ''] = text.split('\r\n\r\n', 2);
        resolve({ head, body });
      });
    });
  const closing = (start: string, headers = 'Host: localhost\r\n', body = '') =>
    exchange(`${start}\r\n${headers}Connection: close\r\n\r\n${body}`);

  t.test('a body that is a little too large is read to its end, so that its refusal is not lost', async (t) => {
    const socket = connect(port, '127.0.0.1');
    let text = '';
    socket.setEncoding('utf8').on('data', (chunk) => {
      text += chunk;
    });
    const until = async (pattern: RegExp) => {
      for (let i = 0; i < 200 && !pattern.test(text); i++) await setTimeout(20);
      t.match(text, pattern);
    };
    const piece = 'x'.repeat(100_000);
    socket.write('POST /v1/imports HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n');
    socket.write(`Content-Length: ${12 * piece.length}\r\n\r\n${piece}`);
    await until(/^HTTP\/1\.1 413 /);
    for (let i = 1; i < 12; i++) {
      socket.write(piece);
      await setTimeout(10);
    }
    socket.write('GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n');
    await until(/HTTP\/1\.1 200 /);
    socket.destroy();
  });

  t.test('bytes that are no request are answered with a problem document', async (t) => {
    for (const [bytes, detail] of [
      ['hello\r\n\r\n', /no well-formed HTTP/],
      ['GET /v1/ranges HTTP/9.9\r\n\r\n', /no well-formed HTTP/],
      ['GET /v1/ranges HTTP/1.1\r\nHost localhost\r\n\r\n', /no well-formed HTTP/],
      ['GET /v1/ranges HTTP/1.1\r\nHost: localhost\r\nX: a\u0000b\r\n\r\n', /no well-formed HTTP/],
      ['POST /v1/ranges HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n', /no well-formed HTTP/],
      [
        'POST /v1/ranges HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}',
        /no well-formed HTTP/,
      ],
      ['\u0016\u0003\u0001\u0002\u0000', /no well-formed HTTP/],
      [`GET /v1/ranges HTTP/1.1\r\nHost: localhost\r\nX: ${'a'.repeat(20_000)}\r\n\r\n`, /larger than 16 KiB/],
    ] as const) {
      const { head, body } = await exchange(bytes);
      t.match(head, /^HTTP\/1\.1 400 Bad Request\r\n/, JSON.stringify(bytes.slice(0, 60)));
      t.match(head, /content-type: application\/problem\+json/i);
      const problem = JSON.parse(body);
      t.match(problem, {
        type: 'urn:port-allocator:problem:validation-failed',
        status: 400,
        code: 'validation-failed',
        detail,
      });
      t.match(head, new RegExp(`x-request-id: ${problem.requestId}`, 'i'));
    }
  });

  t.test('odd requests get a 4xx and a problem document', async (t) => {
    const json = 'Host: localhost\r\nContent-Type: application/json\r\n';
    for (const [start, headers, body, status] of [
      ['GET /v1/ranges/% HTTP/1.1', undefined, '', 400],
      ['GET /v1/ranges?a=%zz HTTP/1.1', undefined, '', 400],
      ['GET /v1/projects/\u00ff/summary HTTP/1.1', undefined, '', 400],
      ['PROPFIND /v1/ranges HTTP/1.1', undefined, '', 405],
      ['PURGE /v1/ranges HTTP/1.1', undefined, '', 405],
      ['GET * HTTP/1.1', undefined, '', 404],
      ['OPTIONS * HTTP/1.1', undefined, '', 404],
      ['GET http://localhost/v1/nothing HTTP/1.1', undefined, '', 404],
      ['POST /v1/ranges HTTP/1.1', `${json}Content-Length: 1\r\n`, '{', 400],
      ['POST /v1/ranges HTTP/1.1', `${json}Transfer-Encoding: chunked\r\n`, '2\r\n[]\r\n0\r\n\r\n', 400],
      ['POST /v1/ranges HTTP/1.1', `${json}Content-Length: 2000000\r\n`, '', 413],
      ['POST /v1/ranges HTTP/1.1', 'Host: localhost\r\nContent-Length: 2\r\n', '{}', 415],
      ['GET /v1/ranges HTTP/1.1', 'Host: localhost\r\nAccept: ,;q=x\r\n', '', 406],
    ] as const) {
      const { head, body: text } = await closing(start, headers, body);
      t.match(head, new RegExp(`^HTTP/1\\.1 ${status} `), start);
      t.match(head, /content-type: application\/problem\+json/i, start);
      t.equal(JSON.parse(text || '{}').status, status, start);
    }
  });

  t.test('requests that Node would answer by itself are answered by the service', async (t) => {
    const without = await exchange('GET /livez HTTP/1.1\r\nConnection: close\r\n\r\n');
    t.match(without.head, /^HTTP\/1\.1 400 .*x-request-id: /is);
    t.match(JSON.parse(without.body), { code: 'validation-failed', detail: '/headers/host is required' });
    t.match((await closing('GET /livez HTTP/1.1', 'Host: localhost\r\nExpect: a banana\r\n')).head, /^HTTP\/1\.1 200 /);
    const { head, body } = await exchange('CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\n');
    t.match(head, /^HTTP\/1\.1 405 .*x-request-id: /is);
    t.match(JSON.parse(body), { status: 405, code: 'method-not-allowed', detail: /no proxy/ });
  });

  t.test('what Node lets pass is refused: two Host headers, and so many headers that Node drops some', async (t) => {
    for (const second of ['Host: example.com', 'HOST: localhost', 'hOST:']) {
      const { head, body } = await closing('GET /livez HTTP/1.1', `Host: localhost\r\n${second}\r\n`);
      t.match(head, /^HTTP\/1\.1 400 /);
      t.match(JSON.parse(body), { code: 'validation-failed', detail: '/headers/host is sent twice' });
    }
    const several = (count: number) => `Host: localhost\r\n${'a:\r\n'.repeat(count - 2)}`; // and Connection
    t.match((await closing('GET /livez HTTP/1.1', several(100))).head, /^HTTP\/1\.1 200 /);
    for (const count of [101, 999, 1001, 3000]) {
      const { head, body } = await closing('GET /livez HTTP/1.1', several(count));
      t.match(head, /^HTTP\/1\.1 400 /);
      t.match(JSON.parse(body), { code: 'validation-failed', detail: /has \d+ headers; send at most 100/ });
    }
  });

  t.test('a refused connection is closed, whatever its client does, and the refusal arrives', async (t) => {
    for (const [bytes, status] of [
      ['CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\n', 405],
      ['no request\r\n\r\n', 400],
      ['POST /v1/imports HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nx', 400],
      [`GET /livez HTTP/1.1\r\nHost: localhost\r\nX: ${'a'.repeat(20_000)}`, 400],
    ] as const) {
      const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true }); // never ends the connection by itself
      const closed = new Promise((resolve) => socket.once('close', resolve));
      let text = '';
      socket
        .on('error', () => {})
        .on('data', (data) => {
          text += data;
        });
      socket.write(bytes);
      const more = setInterval(() => socket.write('more\r\n\r\n'), 100);
      const began = performance.now();
      await closed;
      clearInterval(more);
      t.match(text, new RegExp(`^HTTP/1\\.1 ${status} `), bytes.slice(0, 40));
      t.equal(text.split('HTTP/1.1').length, 2, 'one answer');
      t.ok(performance.now() - began < 3000);
    }
  });

  t.test('Upgrade is ignored, as by clients that try h2c first', async (t) => {
    const upgrade =
      'Host: localhost\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQA\r\n';
    const socket = connect(port, '127.0.0.1');
    let text = '';
    socket.on('data', (data) => {
      text += data;
    });
    for (const status of [200, 404]) {
      text = '';
      socket.write(`GET ${status === 200 ? '/livez' : '/nowhere'} HTTP/1.1\r\n${upgrade}\r\n`);
      for (let i = 0; i < 200 && text === ''; i++) await setTimeout(10);
      t.match(text, new RegExp(`^HTTP/1\\.1 ${status} `));
    }
    socket.destroy();
  });

  t.test('a connection is good for further requests after a refusal', async (t) => {
    const { body, head } = await exchange(
      'GET /nowhere HTTP/1.1\r\nHost: localhost\r\n\r\nGET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n',
    );
    t.match(head, /^HTTP\/1\.1 404/);
    t.match(body, /not-found/);
  });

  t.test('none of this changed anything', async (t) => t.equal(await readRegistry(db), before));
});
