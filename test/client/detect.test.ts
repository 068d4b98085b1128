// Each test works in folders of its own, made by the real git. They are outside of this repository, which git would find.
import { chownSync, mkdirSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import t from 'tap';
import { type ClientQuestion, detectHere } from '../../src/client/detect.js';
import { environmentElsewhere } from '../../src/detection/environment.js';
import { readRepository } from '../../src/detection/git.js';
import { git, makeFolder, makeRepository } from '../helpers/git.js';

const NAME = /^[a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?$/;

const none = { project: null, environment: null };
const detectIn = (folder: string, question: Partial<ClientQuestion> = {}) =>
  detectHere({ settings: none, folder, ...question });

t.test('a folder without git is a project by its own name', async (t) => {
  const folder = makeFolder(t, 'Shop');
  t.same(await detectIn(folder), {
    project: 'shop',
    environment: 'default',
    path: folder,
    manifest: null,
    isEnvironmentGiven: false,
    reasons: {
      project: `from the name of the folder ${folder}`,
      environment: 'as always outside of a git repository',
    },
  });
});

t.test('without git, the nearest package.json names the project, without its scope', async (t) => {
  const folder = makeFolder(t);
  const deep = join(folder, 'src', 'deep');
  mkdirSync(deep, { recursive: true });
  for (const [content, expected] of [
    ['{"name": "@acme/Store"}', 'store'],
    ['\ufeff{"name": "store"}', 'store'],
    ['{}', 'shop'],
    ['no JSON', 'shop'],
    ['{"name": 5}', 'shop'],
    ['null', 'shop'],
  ] as const) {
    writeFileSync(join(folder, 'package.json'), content);
    t.match(await detectIn(deep), { project: expected, path: folder }, content);
  }
});

t.test('a package.json in the home folder says nothing of the folders below it', async (t) => {
  const home = makeFolder(t, 'home');
  const folder = join(home, 'shop');
  mkdirSync(folder);
  writeFileSync(join(home, 'package.json'), '{"name": "accident"}');
  const before = process.env.HOME;
  process.env.HOME = home;
  t.teardown(() => {
    process.env.HOME = before;
  });
  t.match(await detectIn(folder), { project: 'shop', path: folder });
  t.match(await detectIn(home), { project: 'accident', path: home });
});

t.test('a repository is named by its remote, else by the folder of its main working tree', async (t) => {
  const folder = makeRepository(t);
  const deep = join(folder, 'apps');
  mkdirSync(deep);
  writeFileSync(join(deep, 'package.json'), '{"name": "web"}');
  const byFolder = { project: 'shop', environment: 'default', path: folder };
  t.match(await detectIn(deep), byFolder);
  git(folder, 'remote', 'add', 'fork', 'git@example.com:me/my-store.git');
  t.match(await detectIn(deep), {
    ...byFolder,
    project: 'my-store',
    reasons: { project: /the repository's remote fork$/ },
  });
  git(folder, 'remote', 'add', 'other', 'https://example.com/acme/other');
  t.match(await detectIn(deep), byFolder, 'of several remotes none counts, unless one is the origin');
  git(folder, 'remote', 'add', 'origin', 'https://example.com/acme/Store.git');
  t.match(await detectIn(deep), { ...byFolder, project: 'store' });
});

t.test('checking out another branch, or none, moves nothing', async (t) => {
  const folder = makeRepository(t);
  git(folder, 'checkout', '--quiet', '-b', 'feature/cart');
  t.match(await detectIn(folder), { project: 'shop', environment: 'default' });
  git(folder, 'checkout', '--quiet', '--detach');
  t.match(await detectIn(folder), { project: 'shop', environment: 'default' });
});

t.test('a repository without a commit', async (t) => {
  const folder = makeFolder(t);
  git(folder, 'init', '--quiet');
  t.match(await detectIn(folder), { project: 'shop', environment: 'default', path: folder });
});

t.test('a linked worktree is an environment by the name of its folder', async (t) => {
  const folder = makeRepository(t);
  const linked = join(folder, '..', 'Feature X');
  git(folder, 'worktree', 'add', '--quiet', '--detach', linked);
  mkdirSync(join(linked, 'deep'));
  const found = await detectIn(join(linked, 'deep'));
  t.match(found, { project: 'shop', environment: /^feature-x-\w{4}$/, path: realpathSync(linked) });
  t.equal(found.reasons.environment, 'from the folder of the linked working tree');
});

t.test('a submodule is a repository of its own', async (t) => {
  const library = makeRepository(t, 'library');
  const folder = makeRepository(t);
  git(folder, 'submodule', '--quiet', 'add', library, 'vendor/lib');
  const place = join(folder, 'vendor', 'lib');
  t.match(await detectIn(place), { project: 'library', environment: 'default', path: place });
  git(place, 'remote', 'remove', 'origin');
  t.match(await detectIn(place), { project: 'lib', environment: 'default', path: place });
  const linked = join(folder, '..', 'lib-2');
  git(place, 'worktree', 'add', '--quiet', linked);
  t.match(await detectIn(linked), { project: 'lib', environment: 'lib-2' });
});

t.test('a bare repository with worktrees', async (t) => {
  const source = makeRepository(t, 'source');
  const root = makeFolder(t, 'work');
  git(root, 'clone', '--quiet', '--bare', source, 'shop.git');
  const bare = join(root, 'shop.git');
  git(bare, 'worktree', 'add', '--quiet', '../main');
  t.match(await detectIn(join(root, 'main')), { project: 'source', environment: 'main', path: join(root, 'main') });
  t.match(await detectIn(bare), { project: 'source', environment: 'default', path: bare });
  git(bare, 'remote', 'remove', 'origin');
  t.match(await detectIn(join(root, 'main')), { project: 'shop', environment: 'main' });
  t.match(await detectIn(bare), { project: 'shop', environment: 'default', path: bare });
});

t.test('a bare repository in the folder .bare is named by the folder above', async (t) => {
  const source = makeRepository(t, 'source');
  const root = makeFolder(t);
  git(root, 'clone', '--quiet', '--bare', source, '.bare');
  writeFileSync(join(root, '.git'), 'gitdir: ./.bare\n');
  git(root, 'remote', 'remove', 'origin');
  git(root, 'worktree', 'add', '--quiet', 'main');
  t.match(await detectIn(join(root, 'main')), { project: 'shop', environment: 'main' });
  t.match(await detectIn(root), { project: 'shop', environment: 'default', path: root });
});

t.test('a repository whose .git is elsewhere is named by its working tree', async (t) => {
  const folder = makeFolder(t);
  git(folder, 'init', '--quiet', '--separate-git-dir=../hidden.git');
  t.match(await detectIn(folder), { project: 'shop', environment: 'default', path: folder });
});

t.test('two clones have the same names and different paths', async (t) => {
  const source = makeRepository(t);
  const root = makeFolder(t, 'work');
  git(root, 'clone', '--quiet', source, 'one');
  git(root, 'clone', '--quiet', source, 'two');
  const [one, two] = [await detectIn(join(root, 'one')), await detectIn(join(root, 'two'))];
  t.same([one.project, one.environment, one.path], ['shop', 'default', join(root, 'one')]);
  t.same([two.project, two.environment, two.path], ['shop', 'default', join(root, 'two')]);
  t.not(environmentElsewhere('default', one.path), environmentElsewhere('default', two.path));
});

t.test('the manifest names the project before git does, and the working tree stays the path', async (t) => {
  const folder = makeRepository(t);
  const app = join(folder, 'apps', 'web');
  mkdirSync(join(app, 'src'), { recursive: true });
  writeFileSync(join(app, 'ports.yaml'), 'project: web\nservices: { front: }\n');
  const found = await detectIn(join(app, 'src'));
  t.match(found, { project: 'web', environment: 'default', path: folder, manifest: { folder: app } });
  t.equal(found.reasons.project, `named by ${join(app, 'ports.yaml')}`);
  t.match(await detectIn(folder), { project: 'shop', manifest: null });
  writeFileSync(join(app, 'ports.yaml'), 'services: { front: }\n');
  t.match(await detectIn(app), { project: 'shop', manifest: { folder: app } }, 'a manifest need not name the project');
});

t.test('without git, the folder of the manifest is the path', async (t) => {
  const folder = makeFolder(t);
  mkdirSync(join(folder, 'web'));
  writeFileSync(join(folder, 'ports.yaml'), '{}');
  writeFileSync(join(folder, 'web', 'package.json'), '{"name": "web"}');
  t.match(await detectIn(join(folder, 'web')), { project: 'shop', path: folder });
});

t.test('what the caller names counts first, options before variables', async (t) => {
  const folder = makeRepository(t);
  const settings = { project: 'by-variable', environment: 'too' };
  t.match(await detectIn(folder, { settings, project: 'by-option' }), {
    project: 'by-option',
    environment: 'too',
    path: folder,
    isEnvironmentGiven: true,
    reasons: { project: 'named by --project', environment: 'named by PORT_ALLOCATOR_ENVIRONMENT' },
  });
});

t.test('what the caller names has to be a name', async (t) => {
  const folder = makeFolder(t);
  await t.rejects(detectIn(folder, { environment: 'feature/cart' }), {
    kind: 'usage',
    message: /^--environment is "feature\/cart", which is not a name\..* Try feature-cart-km89\.$/,
  });
  await t.rejects(detectIn(folder, { settings: { project: 'Shop', environment: null } }), {
    message: /^PORT_ALLOCATOR_PROJECT is "Shop".* Try shop\.$/,
  });
  await t.rejects(detectIn(folder, { project: '' }), { message: /^--project is empty/ });
});

t.test('a path may have any characters, and links to it are followed', async (t) => {
  const names = ['with space', 'line\nbreak', 'trailing\n', 'größe', '日本語', '--next-answer', 'x'.repeat(200), '-n'];
  for (const name of names) {
    const folder = makeRepository(t, name);
    const link = join(folder, '..', 'link');
    symlinkSync(folder, link);
    const found = await detectIn(link);
    t.equal(found.path, folder, name);
    t.match(found.project, NAME, name);
    const linked = join(folder, '..', `${name.slice(0, 190)}-2`);
    git(folder, 'worktree', 'add', '--quiet', '--detach', linked);
    const other = await detectIn(linked);
    t.equal(other.project, found.project);
    t.equal(other.path, linked);
    t.match(other.environment, NAME, name);
  }
});

t.test('the variables that git sets for its hooks lead to no other repository', async (t) => {
  const folder = makeRepository(t);
  const other = makeRepository(t, 'other');
  process.env.GIT_DIR = join(other, '.git');
  process.env.GIT_WORK_TREE = other;
  t.teardown(() => {
    delete process.env.GIT_DIR;
    delete process.env.GIT_WORK_TREE;
  });
  t.match(await detectIn(folder), { project: 'shop', path: folder });
});

t.test(
  'a repository that git refuses to read is told, with the remedy',
  { skip: process.getuid?.() !== 0 },
  async (t) => {
    const folder = makeRepository(t);
    chownSync(folder, 4242, 4242);
    await t.rejects(detectIn(folder), {
      kind: 'usage',
      message: /^The project cannot be worked out, .*: detected dubious ownership in repository at '.*shop'\.$/,
      nextStep: `Run git config --global --add safe.directory ${folder}, or name --project and --environment.`,
    });
    await t.rejects(detectIn(folder, { project: 'x' }), { message: /^The environment cannot/ });
    t.match(await detectIn(folder, { project: 'x', environment: 'y' }), {
      project: 'x',
      environment: 'y',
      path: folder,
    });
  },
);

t.test('a repository that is broken is told', async (t) => {
  const folder = makeRepository(t);
  const linked = join(folder, '..', 'linked');
  git(folder, 'worktree', 'add', '--quiet', '--detach', linked);
  rmSync(folder, { recursive: true });
  await t.rejects(detectIn(linked), {
    message: /not a git repository: .*shop/,
    nextStep: /^Repair the repository, or/,
  });
});

t.test('without git installed, a folder in a repository is a plain folder', async (t) => {
  const folder = makeRepository(t);
  const before = process.env.PATH;
  t.teardown(() => {
    process.env.PATH = before;
  });
  process.env.PATH = '/nowhere';
  t.equal(await readRepository(folder), null);
  t.match(await detectIn(folder), { project: basename(folder), environment: 'default', path: folder });
});

t.test('an environment elsewhere is a name, always the same for its folder', async (t) => {
  t.equal(environmentElsewhere('default', '/srv/shop'), environmentElsewhere('default', '/srv/shop'));
  t.match(environmentElsewhere('default', '/srv/shop'), /^default-[a-z0-9]{4}$/);
  t.match(environmentElsewhere(`${'x'.repeat(57)}.abcde`, '/srv/shop'), /^x{57}-[a-z0-9]{4}$/);
});
