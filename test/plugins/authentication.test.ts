import t from 'tap';
import { loadConfig } from '../../src/config.js';
import { makeApp, requester } from '../helpers/app.js';
import { openPostgres } from '../helpers/database.js';
import { assertProblem } from '../helpers/problems.js';

const KEY = 'k'.repeat(40);
const OPEN_OPERATIONS = ['getLiveness', 'getReadiness'];
const RIGHT = { authorization: `Bearer ${KEY}` };

t.test('with ADMIN_API_KEY', async (t) => {
  const { db } = await openPostgres(t);
  const app = await makeApp(t, { db }, { ADMIN_API_KEY: KEY, HOST: '0.0.0.0', ALLOW_UNAUTHENTICATED: 'true' });
  const request = requester(app);
  await app.ready();

  t.test('every operation but the health endpoints needs the key, and the contract says so', async (t) => {
    const { paths = {} } = app.swagger() as unknown as { paths?: Record<string, Record<string, Operation>> };
    for (const [path, operations] of Object.entries(paths)) {
      for (const [method, { operationId, security, responses }] of Object.entries(operations)) {
        const open = OPEN_OPERATIONS.includes(operationId);
        t.strictSame([security?.length, '401' in responses], open ? [0, false] : [1, true], operationId);
        const url = path.replace(/\{.*?\}/g, 'x');
        for (const [authorization, error] of WRONG) {
          const headers: Record<string, string> = authorization === null ? {} : { authorization };
          const answer = await request(method.toUpperCase() as 'GET', url, undefined, headers);
          if (open) t.equal(answer.status, 200, operationId);
          else {
            assertProblem(t, answer, 'unauthorized');
            t.equal(answer.headers['www-authenticate'], `Bearer realm="port-allocator"${error}`);
            if (authorization) t.notMatch(answer.text, authorization.slice(7) || '\0');
          }
        }
      }
    }
  });

  t.test('/mcp and unknown paths need the key, pages and the contract do not', async (t) => {
    for (const [method, path] of [
      ['POST', '/mcp'],
      ['GET', '/mcp'],
      ['GET', '/nowhere'],
      ['GET', '/docsx'],
      ['GET', '//v1/ranges'],
      ['GET', '/docs/../v1/ranges'],
    ] as const) {
      assertProblem(t, await request(method, path), 'unauthorized');
    }
    for (const path of ['/', '/openapi.json', '/openapi.yaml', '/docs/', '/livez', '/readyz']) {
      t.equal((await request('GET', path)).status, 200, path);
    }
  });

  t.test('with the key everything is allowed, under any Host, forwarded or not', async (t) => {
    const headers = { ...RIGHT, host: 'ports.example.com', 'x-forwarded-for': '192.0.2.1' };
    t.equal((await request('GET', '/v1/ranges', undefined, headers)).status, 200);
    t.equal((await request('GET', '/nowhere', undefined, headers)).status, 404);
    t.equal((await request('GET', '/v1/ranges', undefined, { authorization: `bearer ${KEY}` })).status, 200);
    const tools = { jsonrpc: '2.0', id: 1, method: 'tools/list', params: {} };
    const accept = { accept: 'application/json, text/event-stream' };
    t.match((await request('POST', '/mcp', tools, { ...RIGHT, ...accept })).text, /get-port/);
  });
});

t.test('clients that look for OAuth find none, with and without a key, whether keys are in force or not', async (t) => {
  const database = await openPostgres(t);
  for (const variables of [{ ADMIN_API_KEY: KEY }, {}] as Record<string, string>[]) {
    const request = requester(await makeApp(t, database, variables));
    for (const name of ['oauth-protected-resource', 'oauth-authorization-server', 'openid-configuration']) {
      for (const path of [`/.well-known/${name}`, `/.well-known/${name}/mcp`, `/mcp/.well-known/${name}`]) {
        for (const [authorization] of [...WRONG, [RIGHT.authorization]]) {
          const headers = { accept: 'application/json', ...(authorization && { authorization }) };
          const answer = await request('GET', path, undefined, headers);
          assertProblem(t, answer, 'not-found');
          t.match(answer.body.detail, /no OAuth/);
          t.notOk('www-authenticate' in answer.headers);
        }
      }
    }
  }
});

t.test('a key that is too short, or that no header can hold, is refused and never printed', async (t) => {
  for (const key of ['short', 'with space '.repeat(5), 'ü'.repeat(40)]) {
    try {
      loadConfig({ ADMIN_API_KEY: key });
      t.fail(key);
    } catch (error) {
      t.match((error as Error).message, /ADMIN_API_KEY: .*openssl/);
      t.notOk((error as Error).message.includes(key.trim()));
    }
  }
  t.equal(loadConfig({ HOST: '0.0.0.0', ADMIN_API_KEY: KEY }).host, '0.0.0.0');
});

interface Operation {
  operationId: string;
  security?: object[];
  responses: object;
}

const INVALID = ', error="invalid_token"';
const WRONG: [authorization: string | null, error: string][] = [
  [null, ''],
  ['Bearer ', ''],
  ['Basic a2V5OmtleQ==', ''],
  [`Bearer ${'x'.repeat(40)}`, INVALID],
  [`Bearer ${KEY}k`, INVALID],
];

t.test('a request with a malformed URL counts towards the limit of its address', async (t) => {
  const config = { ADMIN_API_KEY: KEY, RATE_LIMIT_PER_MINUTE: '2', TRUST_PROXY: '127.0.0.1' };
  const request = requester(await makeApp(t, await openPostgres(t), config));
  const ask = (client: string) => request('GET', '/v1/ranges/%', undefined, { 'x-forwarded-for': client });
  for (let i = 0; i < 2; i++) assertProblem(t, await ask('192.0.2.1'), 'validation-failed');
  assertProblem(t, await ask('192.0.2.1'), 'too-many-requests');
  assertProblem(t, await ask('192.0.2.2'), 'validation-failed');
});
