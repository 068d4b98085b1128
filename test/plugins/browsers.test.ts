// What web pages may do, and the security headers of every answer.
import t from 'tap';
import { makeApp, requester } from '../helpers/app.js';
import { openPostgres } from '../helpers/database.js';
import { ADMIN, WITH_KEYS } from '../helpers/keys.js';
import { assertProblem } from '../helpers/problems.js';

const database = await openPostgres(t);
const TOOLS = 'https://tools.example.com';
const PREFLIGHT = { 'access-control-request-method': 'PUT', 'access-control-request-headers': 'authorization' };

t.test('a page of an allowed origin may ask with a key, and read the answer', async (t) => {
  const request = requester(await makeApp(t, database, { ...WITH_KEYS, ALLOWED_ORIGINS: TOOLS }));
  const preflight = await request('OPTIONS', '/v1/ranges', undefined, { origin: TOOLS, ...PREFLIGHT });
  t.equal(preflight.status, 204);
  t.match(preflight.headers, {
    'access-control-allow-origin': TOOLS,
    'access-control-allow-methods': /PUT/,
    'access-control-allow-headers': 'authorization',
    vary: /Origin/i,
  });
  t.equal(preflight.headers['access-control-allow-credentials'], undefined);
  const answer = await request('GET', '/v1/ranges', undefined, { origin: TOOLS, ...ADMIN });
  t.match(answer.headers, { 'access-control-allow-origin': TOOLS, 'access-control-expose-headers': /location/ });
  const refusal = await request('GET', '/v1/ranges', undefined, { origin: TOOLS });
  assertProblem(t, refusal, 'unauthorized');
  t.equal(refusal.headers['access-control-allow-origin'], TOOLS, 'a refusal can be read too');
  for (const origin of ['https://evil.example.com', 'null']) {
    const foreign = await request('OPTIONS', '/v1/ranges', undefined, { origin, ...PREFLIGHT });
    assertProblem(t, foreign, 'forbidden');
    t.equal(foreign.headers['access-control-allow-origin'], undefined);
  }
});

t.test('without ALLOWED_ORIGINS no page may read anything', async (t) => {
  const request = requester(await makeApp(t, database));
  for (const origin of ['http://localhost:5173', 'https://tools.example.com']) {
    for (const method of ['OPTIONS', 'GET'] as const) {
      const { headers } = await request(method, '/v1/ranges', undefined, { origin, ...PREFLIGHT });
      t.same(
        Object.keys(headers).filter((name) => name.startsWith('access-control-')),
        [],
      );
    }
  }
});

t.test('every answer tells a browser not to run, frame, store or share it', async (t) => {
  const request = requester(await makeApp(t, database, WITH_KEYS));
  const requests = [
    ['GET', '/v1/ranges', ADMIN],
    ['PUT', '/v1/projects/odin/services/api', ADMIN],
    ['GET', '/v1/ranges', {}],
    ['GET', '/nowhere', ADMIN],
    ['GET', '/v1/%zz', ADMIN],
    ['GET', '/livez', {}],
    ['POST', '/mcp', ADMIN],
  ] as const;
  for (const [method, path, who] of requests) {
    const { headers } = await request(method, path, undefined, who);
    t.match(
      headers,
      {
        'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
        'x-content-type-options': 'nosniff',
        'x-frame-options': 'DENY',
        'referrer-policy': 'no-referrer',
        'cache-control': /no-store/,
      },
      `${method} ${path}`,
    );
  }
});

t.test('the documentation has its own content policy, which lets it work', async (t) => {
  const { headers, status } = await requester(await makeApp(t, database, WITH_KEYS))('GET', '/docs/');
  t.equal(status, 200);
  t.match(headers, {
    'content-security-policy': /^default-src 'none'; script-src 'self'; style-src 'self'; /,
    'x-content-type-options': 'nosniff',
    'x-frame-options': 'DENY',
  });
});
