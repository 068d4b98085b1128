import t from 'tap';
import { makeApp, requester } from '../helpers/app.js';
import { openPostgres } from '../helpers/database.js';
import { assertProblem } from '../helpers/problems.js';

t.test('the addresses to which the service answers, and those in its answers', async (t) => {
  const { db } = await openPostgres(t);

  t.test('without authentication only a local Host is answered', async (t) => {
    const request = requester(await makeApp(t, { db }));
    const local = [
      'localhost',
      'LOCALHOST:8080',
      'localhost.',
      '127.0.0.1',
      '127.0.0.1:1',
      '[::1]',
      '[::1]:8080',
      'x.localhost',
    ];
    for (const host of local) t.equal((await request('GET', '/v1/ranges', undefined, { host })).status, 200, host);
    const foreign = [
      'example.com',
      'localhost.example.com',
      '10.0.0.1',
      '[2001:db8::1]:80',
      '0.0.0.0',
      'xlocalhost',
      'localhost@example.com',
      '127.0.0.1.nip.io',
      ' ',
    ];
    for (const host of foreign) {
      for (const [method, path] of [
        ['GET', '/v1/ranges'],
        ['PUT', '/v1/projects/consilio/services/api'],
        ['GET', '/nowhere'],
        ['GET', '/livez'],
        ['GET', '/openapi.json'],
      ] as const) {
        assertProblem(t, await request(method, path, undefined, { host }), 'forbidden');
      }
    }
    t.strictSame((await request('GET', '/v1/allocations')).body.items, []);
  });

  t.test('with ALLOW_UNAUTHENTICATED=true every Host is answered, forwarded or not', async (t) => {
    const request = requester(await makeApp(t, { db }, { ALLOW_UNAUTHENTICATED: 'true' }));
    const headers = { host: 'ports.example.com', 'x-forwarded-for': '192.0.2.1' };
    t.equal((await request('GET', '/v1/ranges', undefined, headers)).status, 200);
  });

  t.test('addresses in answers begin with BASE_PATH or PUBLIC_URL', async (t) => {
    for (const [variables, start] of [
      [{}, ''],
      [{ BASE_PATH: '/ports' }, '/ports'],
      [{ PUBLIC_URL: 'https://example.com' }, 'https://example.com'],
      [{ PUBLIC_URL: 'https://example.com/ports', BASE_PATH: '/ports' }, 'https://example.com/ports'],
    ] as const) {
      const request = requester(await makeApp(t, { db }, variables));
      const prefix = 'BASE_PATH' in variables ? '/ports' : '';
      const made = await request('POST', `${prefix}/v1/projects/odin/allocations`, { service: 'a' });
      t.equal(made.headers.location, `${start}/v1/allocations/${made.body.id}`);
      const range = await request('POST', `${prefix}/v1/ranges`, { project: 'x' });
      t.equal(range.headers.location, `${start}/v1/ranges/${range.body.startPort}`);
      const page = await request('GET', `${prefix}/v1/ranges?limit=1`);
      t.equal(page.headers.link, `<${start}/v1/ranges?limit=1&cursor=${page.body.nextCursor}>; rel="next"`);
      const contract = await request('GET', `${prefix}/openapi.json`);
      t.strictSame(contract.body.servers, [{ url: start || '/' }]);
    }
  });

  t.test('under a BASE_PATH the routes match whether the proxy strips it or not', async (t) => {
    const request = requester(await makeApp(t, { db }, { BASE_PATH: '/ports' }));
    for (const path of ['/ports/v1/ranges', '/v1/ranges', '/ports/livez', '/ports/docs/']) {
      t.equal((await request('GET', path, undefined, { accept: '*/*' })).status, 200, path);
    }
    for (const path of ['/portsv1/ranges', '/ports/ports/v1/ranges', '/other/v1/ranges']) {
      assertProblem(t, await request('GET', path), 'not-found');
    }
  });

  t.test('a BASE_PATH without its slash leads to the dashboard, whose files are relative to its address', async (t) => {
    for (const [variables, start] of [
      [{ BASE_PATH: '/ports' }, '/ports/'],
      [{ BASE_PATH: 'ports/', PUBLIC_URL: 'https://example.com/registry' }, 'https://example.com/registry/'],
    ] as const) {
      const request = requester(await makeApp(t, { db }, variables));
      for (const [path, location] of [
        ['/ports', start],
        ['/ports?a=b?c', `${start}?a=b?c`],
      ] as const) {
        for (const method of ['GET', 'HEAD'] as const) {
          t.match(await request(method, path), { status: 308, headers: { location } }, path);
        }
      }
      for (const path of ['/ports/', '/ports/?a=b', '/']) t.equal((await request('GET', path)).status, 200, path);
      assertProblem(t, await request('POST', '/ports'), 'method-not-allowed');
      assertProblem(t, await request('GET', '/portsx'), 'not-found');
    }
  });
});

t.test('a foreign page is refused whatever it asks, and changes nothing', async (t) => {
  const database = await openPostgres(t);
  const request = requester(await makeApp(t, database));
  const foreign = { origin: 'https://evil.example' };
  const text = { ...foreign, 'content-type': 'text/plain' };
  const line = 'LISTEN 0 511 0.0.0.0:3105 0.0.0.0:* users:(("x",pid=1,fd=3))\n';
  assertProblem(t, await request('POST', '/v1/imports', line, text), 'forbidden');
  assertProblem(t, await request('POST', '/v1/audits', undefined, foreign), 'forbidden');
  assertProblem(t, await request('GET', '/v1/ranges', undefined, foreign), 'forbidden');
  t.same((await request('GET', '/v1/allocations')).body.items, []);
  t.equal((await request('GET', '/v1/ranges', undefined, { origin: 'http://localhost:5173' })).status, 200);
});

t.test('a page at PUBLIC_URL is the dashboard, and not refused as a foreign page', async (t) => {
  const variables = { PUBLIC_URL: 'https://ports.example.com/registry', ALLOWED_ORIGINS: 'https://tools.example.com' };
  const request = requester(await makeApp(t, await openPostgres(t), variables));
  for (const [origin, status] of [
    ['https://ports.example.com', 200],
    ['https://tools.example.com', 200],
    ['http://ports.example.com', 403],
    ['https://ports.example.com.evil.example', 403],
  ] as const) {
    t.equal((await request('POST', '/v1/audits', undefined, { origin })).status, status, origin);
  }
});
