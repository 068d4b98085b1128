// Which bodies are read at all. What is refused in them is tested in test/routes/bad-input.test.ts.
import type { AddressInfo } from 'node:net';
import t, { type Test } from 'tap';
import { makeApp } from '../helpers/app.js';
import { openPostgres } from '../helpers/database.js';
import { ADMIN_KEY, WITH_KEYS } from '../helpers/keys.js';
import { headOf, sendRaw } from '../helpers/raw-request.js';

const MIB = 1024 * 1024;
const RIGHT = { Authorization: `Bearer ${ADMIN_KEY}` };
const WRONG = { Authorization: `Bearer ${'x'.repeat(40)}` };
const SERVICE = '/v1/projects/odin/services/web';

async function listen(t: Test, variables: Record<string, string>) {
  const app = await makeApp(t, await openPostgres(t), variables);
  await app.listen({ host: '127.0.0.1', port: 0 });
  return `http://127.0.0.1:${(app.server.address() as AddressInfo).port}`;
}

t.test('bodies that are answered before they are read', async (t) => {
  const url = await listen(t, WITH_KEYS);
  /** Sends the head of a request and the first byte of its body. @returns the answer, once the connection is closed */
  const answerOf = async (target: string, length: number | 'chunked', headers: Record<string, string>) => {
    const firstByte = length === 'chunked' ? '100000\r\n ' : ' ';
    return await sendRaw(t, url, headOf(target, length, headers) + firstByte).closed;
  };
  const cases: [target: string, headers: Record<string, string>, status: number, words: RegExp][] = [
    ...['/', '/livez', '/readyz', '/openapi.json', '/openapi.yaml', '/docs/', '/docs/json'].map(
      (path) => [`GET ${path}`, {}, 400, /This call takes no body\./] as (typeof cases)[0],
    ),
    ['GET /v1/ranges', RIGHT, 400, /This call takes no body\./],
    [`DELETE ${SERVICE}`, RIGHT, 400, /This call takes no body\./],
    ['GET /metrics', RIGHT, 400, /This call takes no body\./],
    ['POST /nowhere', RIGHT, 404, /"not-found"/],
    ['GET /nowhere', RIGHT, 404, /"not-found"/],
    ['POST /v1/ports/3100', RIGHT, 405, /"method-not-allowed"/],
    ['GET /mcp', RIGHT, 405, /"method-not-allowed"/],
    [`PUT ${SERVICE}`, {}, 401, /"unauthorized"/],
    [`PUT ${SERVICE}`, WRONG, 401, /"unauthorized"/],
    ['POST /mcp', WRONG, 401, /"unauthorized"/],
    ['POST /nowhere', {}, 401, /"unauthorized"/],
  ];
  await Promise.all(
    cases.flatMap(([target, headers, status, words]) =>
      ([MIB, 'chunked'] as const).map(async (length) => {
        const answer = await answerOf(target, length, headers);
        t.match(answer, new RegExp(`^HTTP/1\\.1 ${status} `), `${target} ${length}`);
        t.match(answer, words, `${target} ${length}`);
        t.equal(answer.match(/HTTP\/1\.1 /g)?.length, 1, 'one answer');
      }),
    ),
  );
});

t.test('a refused body that arrives whole leaves the connection good for further requests', async (t) => {
  const url = await listen(t, WITH_KEYS);
  const body = ' '.repeat(MIB);
  const next = 'GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n';
  for (const [target, headers] of [
    ['GET /v1/ranges', RIGHT],
    [`PUT ${SERVICE}`, WRONG],
  ] as const) {
    const answer = await sendRaw(t, url, headOf(target, MIB, headers) + body + next).closed;
    t.same(
      [...answer.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => status),
      [target.startsWith('GET') ? '400' : '401', '200'],
    );
  }
});

t.test('a body in chunks of one byte is read as any other', async (t) => {
  const url = await listen(t, {});
  const body = JSON.stringify({ description: 'x'.repeat(1000) });
  const chunks = [...body].map((byte) => `1\r\n${byte}\r\n`).join('');
  const sent = sendRaw(t, url, `${headOf(`PUT ${SERVICE}`, 'chunked')}${chunks}0\r\n\r\n`);
  t.equal(await sent.status, 201);
});
