import t from 'tap';
import { makeApp, requester } from '../helpers/app.js';
import { openPostgres } from '../helpers/database.js';

t.test('the contract for people', async (t) => {
  const { db } = await openPostgres(t);
  const variables = { ADMIN_API_KEY: 'k'.repeat(40), HOST: '0.0.0.0', BASE_PATH: '/ports' };
  const request = requester(await makeApp(t, { db }, variables));
  const page = await request('GET', '/docs/');

  t.test('carries our name, leads to the contract and to the dashboard, and warns before it writes', async (t) => {
    t.equal(page.status, 200);
    t.equal(page.headers['content-type'], 'text/html; charset=utf-8');
    t.match(page.text, '<title>Port Allocator: the contract</title>');
    const links = [...page.text.matchAll(/<a [^>]*href="([^"]+)"/g)].map(([, href]) => href);
    t.same(new Set(links), new Set(['../', '../openapi.json', '../openapi.yaml']));
    t.match(page.text, 'calls this registry, which is live');
    t.notMatch(page.text, /swagger-ui-standalone|favicon/, 'nothing of the page that the plugin brings');
  });

  t.test('may load only files of the service, and has nothing inline', async (t) => {
    const policy = String(page.headers['content-security-policy']);
    t.match(
      policy,
      /^default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self';/,
    );
    t.notMatch(policy, /unsafe|https?:|sha\d+|\*/);
    t.notMatch(page.text, /<style|style=|\son\w+=|<script[^>]*>[^<]/);
  });

  t.test('finds its files without a key, under a BASE_PATH that the proxy strips or keeps', async (t) => {
    const files = [...page.text.matchAll(/<(?:script|link|img)[^>]* (?:src|href)="([^"]+)"/g)].map(
      ([, file = '']) => file,
    );
    t.equal(files.length, 6);
    for (const base of ['/docs/', '/ports/docs/']) {
      t.equal((await request('GET', base)).text, page.text);
      for (const file of files) {
        const { pathname } = new URL(file, `http://h${base}`);
        t.equal((await request('GET', pathname)).status, 200, pathname);
      }
    }
  });

  t.test('has one address, which those without a slash lead to, relative to their own', async (t) => {
    for (const path of ['/docs', '/ports/docs']) {
      const { status, headers } = await request('GET', path);
      t.strictSame([status, headers.location], [308, 'docs/'], path);
    }
    const { status, headers } = await request('GET', '/docs/static/index.html');
    t.strictSame([status, headers.location], [302, '/docs/']);
  });

  t.test('is validated by the browser each time, and sent again only if it has changed', async (t) => {
    t.equal(page.headers['cache-control'], 'no-cache');
    const known = await request('GET', '/docs/', undefined, { 'if-none-match': String(page.headers.etag) });
    t.strictSame([known.status, known.text], [304, '']);
    t.strictSame((await request('HEAD', '/docs/')).headers.etag, page.headers.etag);
  });
});
