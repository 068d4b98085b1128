import t from 'tap';
import { nameOfUrl } from '../../src/detection/git.js';

t.test('the name in the URL of a remote', async (t) => {
  for (const [url, expected] of [
    ['git@example.com:acme/shop.git', 'shop'],
    ['example.com:shop', 'shop'],
    ['https://example.com/acme/shop.git/', 'shop'],
    ['https://example.com:8443/shop', 'shop'],
    ['ssh://git@example.com:22/acme/my%20shop.git', 'my shop'],
    ['https://dev.example.com/acme/project/_git/shop', 'shop'],
    ['/srv/shop/.git', 'shop'],
    ['../shop', 'shop'],
    ['C:\\work\\shop', 'shop'],
    ['file:///srv/100%.git', '100%'],
    ['https://example.com', null],
    ['..', null],
    ['', null],
  ] as const) {
    t.equal(nameOfUrl(url), expected, url);
  }
});
