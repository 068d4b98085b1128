import t from 'tap';
import { nameOfUrl, readRepository } from '../../src/detection/git.js';

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
    ['https://user:token@example.com/acme/shop', 'shop'],
    ['https://user:to@ken@example.com/acme/shop', 'shop'],
    ['https://user:pa/token@example.com/acme/shop', 'shop'],
    ['https://user:pa/token@example.com', null],
    ['https://user:pa/to?ken@example.com/acme/shop', null],
    ['https://example.com/acme/shop?access_token=secret', 'shop'],
    ['https://example.com/acme/shop.git?access_token=a/b#c/d', 'shop'],
    ['https://example.com/acme/shop#secret', 'shop'],
    ['https://example.com/@acme/shop', 'shop'],
    ['user:token@example.com', null],
    ['user:token@example.com/acme/shop', 'shop'],
    ['user:token@example.com:acme/shop', 'shop'],
    ['example.com:8443/shop', 'shop'],
    ['codecommit::region://shop', 'shop'],
    ['/srv/shop@2?', 'shop@2?'],
    ['./a:b/shop#1', 'shop#1'],
    ['shop', 'shop'],
    ['https://example.com', null],
    ['..', null],
    ['', null],
  ] as const) {
    t.equal(nameOfUrl(url), expected, url);
  }
});

t.test('a folder that was removed meanwhile is no broken repository', async (t) => {
  await t.rejects(readRepository('/no/such/folder'), {
    name: 'FolderProblem',
    message: 'There is no folder /no/such/folder that can be read.',
  });
});
