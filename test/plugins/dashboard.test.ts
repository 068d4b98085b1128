import t from 'tap';
import { makeApp, requester } from '../helpers/app.js';
import { openPostgres } from '../helpers/database.js';
import { assertProblem } from '../helpers/problems.js';

t.test('the dashboard', async (t) => {
  const { db } = await openPostgres(t);
  const variables = { ADMIN_API_KEY: 'k'.repeat(40), HOST: '0.0.0.0', BASE_PATH: '/ports' };
  const request = requester(await makeApp(t, { db }, variables));
  const page = await request('GET', '/');
  const assets = [...page.text.matchAll(/"\.\/(assets\/[^"]+)"/g)].map(([, path]) => `/${path}`);

  t.test('needs no key, and may load only its own files', async (t) => {
    t.equal(page.status, 200);
    t.equal(page.headers['content-type'], 'text/html; charset=utf-8');
    const policy = String(page.headers['content-security-policy']);
    t.match(policy, /^default-src 'none'; script-src 'self'; style-src 'self';/);
    t.notMatch(policy, /unsafe|https?:|data:|\*/);
    t.notMatch(page.text, /<style|style=|\son\w+=|<script[^>]*>[^<]/, 'nothing inline');
    t.equal(assets.length, 3);
    for (const path of assets) {
      const asset = await request('GET', path);
      t.equal(asset.status, 200, path);
      t.equal(asset.headers['cache-control'], 'public, max-age=31536000, immutable');
      t.match(asset.headers['content-type'], /^(text\/(javascript|css); charset=utf-8|image\/svg\+xml)$/);
      t.equal(asset.headers['x-content-type-options'], 'nosniff');
    }
  });

  t.test('is validated by the browser each time, and sent again only if it has changed', async (t) => {
    t.equal(page.headers['cache-control'], 'no-cache');
    const known = await request('GET', '/', undefined, { 'if-none-match': String(page.headers.etag) });
    t.strictSame([known.status, known.text], [304, '']);
    t.equal((await request('GET', '/', undefined, { 'if-none-match': '"other"' })).status, 200);
  });

  t.test('is found under a BASE_PATH, whether the proxy strips it or not', async (t) => {
    t.equal((await request('GET', '/ports/')).text, page.text);
    for (const path of assets) t.equal((await request('GET', `/ports${path}`)).status, 200, path);
  });

  t.test('answers HEAD, and refuses unknown files and other methods', async (t) => {
    const key = { authorization: `Bearer ${variables.ADMIN_API_KEY}` };
    const head = await request('HEAD', '/');
    t.strictSame([head.status, head.text, head.headers.etag], [200, '', page.headers.etag]);
    assertProblem(t, await request('GET', '/', undefined, { accept: 'application/json' }), 'not-acceptable');
    const post = await request('POST', '/', undefined, key);
    assertProblem(t, post, 'method-not-allowed');
    t.equal(post.headers.allow, 'GET, HEAD');
    for (const path of ['/assets/none.js', '/assets/..%2findex.html', '/assets/']) {
      assertProblem(t, await request('GET', path, undefined, key), 'not-found');
    }
  });
});
