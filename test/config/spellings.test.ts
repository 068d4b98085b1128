// Several spellings of one value, and values that mean something else than they say.
import { homedir } from 'node:os';
import t from 'tap';
import { loadConfig } from '../../src/config.js';
import { problemsOf } from '../helpers/config.js';

t.test('HOST may be spelled as in a URL, and is refused where it is no address and no name', async (t) => {
  for (const [given, host] of [
    ['[::1]', '::1'],
    ['LOCALHOST', '127.0.0.1'],
    ['localhost.', '127.0.0.1'],
    [' 127.0.0.1\n', '127.0.0.1'],
  ] as const) {
    t.match(loadConfig({ HOST: given }), { host, rateLimitPerMinute: null }, given);
  }
  t.equal(loadConfig({ HOST: '[FE80::1%eth0]', ALLOW_UNAUTHENTICATED: 'true' }).host, 'fe80::1%eth0');
  t.match(problemsOf({ HOST: '[::]' }), [/^HOST: "::" is not a loopback address/]);
  for (const host of ['*', '0', '127.1', 'http://localhost', 'localhost:8080', '[localhost', 'a b']) {
    t.match(problemsOf({ HOST: host, ALLOW_UNAUTHENTICATED: 'true' }), [/^HOST: .* neither an IP address nor/], host);
  }
});

t.test('a path that depends on where a process is started is refused', async (t) => {
  const home = homedir();
  for (const name of ['DATA_DIR', 'XDG_DATA_HOME', 'DATABASE_URL_FILE', 'ADMIN_API_KEY_FILE']) {
    for (const path of ['data', './data', '../data', '.', '$HOME/data', '~other/data', 'file:///data']) {
      t.match(problemsOf({ [name]: path }), [/no absolute path, and would be another one in each folder/], path);
    }
    t.strictSame(problemsOf({ [name]: '~/data' }), [
      `${name}: "~/data" is no absolute path: only a shell replaces ~. Write the whole path, such as ${home}/data`,
    ]);
    t.match(problemsOf({ [name]: '~' }), [new RegExp(`such as ${home}$`)]);
  }
  t.equal(loadConfig({ DATA_DIR: '/data', XDG_DATA_HOME: '~/data' }).dataDir, '/data', 'which is not used');
  t.equal(loadConfig({ DATA_DIR: '/data/./x//' }).dataDir, '/data/x');
});

t.test(
  'without a home folder that can be used, DATA_DIR has to be set',
  { skip: process.platform !== 'linux' },
  async (t) => {
    const home = process.env.HOME;
    t.teardown(() => {
      process.env.HOME = home;
    });
    process.env.HOME = '';
    t.match(problemsOf({}), [/^HOME: this user has no home folder; set DATA_DIR$/]);
    process.env.HOME = 'home';
    t.match(problemsOf({}), [/^HOME: "home\/.local\/share" is no absolute path/]);
    t.equal(loadConfig({ DATABASE_URL: 'postgresql://db/ports' }).dataDir, '', 'no folder is used on PostgreSQL');
    t.equal(loadConfig({ DATA_DIR: '/data' }).dataDir, '/data');
  },
);

t.test('numbers and booleans have one spelling', async (t) => {
  for (const port of ['0x1f90', '1e3', '8080.0', '+8080', '8 080', 'eighty']) {
    t.strictSame(problemsOf({ PORT: port }), [`PORT: "${port}" is no whole number in decimal digits`]);
  }
  for (const text of ['TRUE', '1', 'yes', 'on']) {
    t.strictSame(problemsOf({ MIGRATE_ON_START: text }), [`MIGRATE_ON_START: "${text}" is neither true nor false`]);
  }
  t.equal(loadConfig({ PORT: '08080' }).port, 8080);
  t.equal(loadConfig({ PORT: ' 8081\n' }).port, 8081);
  t.equal(loadConfig({ PORT: ' ' }).port, 8080, 'white space alone counts as unset');
});

t.test('BASE_PATH and PUBLIC_URL are one path and one URL in every usual spelling', async (t) => {
  for (const path of ['ports', '/ports', 'ports/', '/ports/', '//ports//']) {
    t.equal(loadConfig({ BASE_PATH: path }).basePath, '/ports', path);
  }
  t.equal(loadConfig({ BASE_PATH: 'a/b' }).basePath, '/a/b');
  for (const path of ['/', '//']) t.equal(loadConfig({ BASE_PATH: path }).basePath, '');
  for (const path of ['/a//b', '/../a', '/a/.', '/a?b', '/ä', 'https://example.com/a']) {
    t.match(problemsOf({ BASE_PATH: path }), [/^BASE_PATH: .* is no path such as \/ports/], path);
  }
  t.equal(loadConfig({ PUBLIC_URL: 'https://example.com/ports//' }).publicUrl, 'https://example.com/ports');
  for (const url of ['https://user:secret@example.com', 'https://[', 'https://x?y', '//x', 'https://x:99999']) {
    const problems = problemsOf({ PUBLIC_URL: url });
    t.match(problems, [/^PUBLIC_URL: .* no URL such as/], url);
    t.notMatch(problems.join(), /secret/);
  }
});
