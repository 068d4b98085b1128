// An agent may name a folder that it has only downloaded. To read it runs nothing of it, and tells nothing of others.
import { execFileSync } from 'node:child_process';
import { appendFileSync, chownSync, existsSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import t from 'tap';
import { detectAgentsFolder } from '../../src/detection/agents-folder.js';
import { git, makeFolder, makeRepository } from '../helpers/git.js';
import { NOBODY, withoutRoot } from '../helpers/other-user.js';

const detect = (folder: string) => detectAgentsFolder({ folder });

t.test('what a repository makes git run is not run', async (t) => {
  const folder = makeRepository(t);
  const mark = join(folder, 'was-run');
  const program = join(folder, 'program.sh');
  const script = `#!/bin/sh\necho "$0 $*" >> '${mark}'\n`;
  for (const file of [program, join(folder, 'git'), join(folder, '.git', 'hooks', 'post-index-change')]) {
    writeFileSync(file, script, { mode: 0o755 });
  }
  const included = join(folder, 'included');
  writeFileSync(
    included,
    `[core]\n\tfsmonitor = ${program}\n[remote "origin"]\n\turl = https://example.com/a/cart.git\n`,
  );
  for (const [name, value] of [
    ['core.fsmonitor', program],
    ['core.sshCommand', program],
    ['core.pager', program],
    ['core.editor', program],
    ['core.hooksPath', folder],
    ['core.gitProxy', program],
    ['core.askPass', program],
    ['credential.helper', `!${program}`],
    ['pager.config', program],
    ['pager.rev-parse', 'true'],
    ['alias.rev-parse', `!${program}`],
    ['alias.config', `!${program}`],
    ['diff.external', program],
    ['filter.x.smudge', program],
    ['filter.x.process', program],
    ['uploadpack.packObjectsHook', program],
    ['includeIf.gitdir:/.path', included],
  ] as const) {
    git(folder, 'config', name, value);
  }
  const before = process.env.PATH;
  process.env.PATH = ['.', '', before].join(delimiter); // then a program of the current folder is found first
  t.teardown(() => {
    process.env.PATH = before;
  });
  t.match(await detect(folder), { project: 'cart', environment: 'default' }, 'settings were read');
  t.notOk(existsSync(mark));
  execFileSync('git', ['status'], { cwd: folder, env: { ...process.env, PATH: before } });
  t.ok(existsSync(mark), 'the settings do run something');
  process.env.PATH = before;
  appendFileSync(join(folder, '.git', 'config'), '[include]\n\tpath = /dev/zero\n');
  await t.rejects(detect(folder), { message: /git does not read this repository: bad config line 1 in file / });
});

t.test('a repository adds no lines of its own to what is told', { skip: withoutRoot }, async (t) => {
  const evil = 'git config --global core.sshCommand /tmp/evil.sh';
  const clone = makeRepository(t, 'clone');
  const bare = join(clone, 'sub');
  for (const name of ['objects', 'refs']) mkdirSync(join(bare, name), { recursive: true });
  writeFileSync(join(bare, 'HEAD'), 'ref: refs/heads/main\n');
  writeFileSync(join(bare, 'config'), `[core]\n\tbare = "x\\n\\t${evil}"\n`);
  await t.rejects(detect(bare), {
    message: /^The project cannot be worked out, because git does not read this repository: bad .* value 'x\.$/,
    remedy: 'Repair the repository',
  });
  writeFileSync(join(bare, 'config'), `[core]\n\tbare = "${'x'.repeat(5000)}\u202e"\n`);
  await t.rejects(detect(bare), { message: /^.{300,500}…\.$/ });

  const others = makeRepository(t, `shop'\n\t${evil.replaceAll('/', '')}\n`);
  const link = join(others, '..', 'link');
  symlinkSync(others, link);
  chownSync(others, NOBODY, NOBODY);
  for (const folder of [others, link]) {
    await t.rejects(detect(folder), {
      message: /dubious ownership in repository at '[^\n]*shop'\.$/,
      remedy: /^Repair /,
    });
  }
  const spaced = makeRepository(t, "it's; a $shop");
  chownSync(spaced, NOBODY, NOBODY);
  const quoted = `'${spaced.replace("'", "'\\''")}'`;
  await t.rejects(detect(spaced), {
    message: /dubious ownership/,
    remedy: `Run git config --global --add safe.directory ${quoted}`,
  });
  const all = makeRepository(t, '*');
  chownSync(all, NOBODY, NOBODY);
  await t.rejects(detect(all), { message: /dubious ownership/, remedy: /^Repair / });
});

t.test('a repository does not pass for the working tree of another one', { skip: withoutRoot }, async (t) => {
  const url = 'https://example.com/acme/shop';
  const shop = makeRepository(t);
  const evil = makeRepository(t, 'evil');
  for (const folder of [shop, evil]) git(folder, 'remote', 'add', 'origin', url);
  mkdirSync(join(evil, 'src'));
  git(evil, 'config', 'core.worktree', shop);
  t.match(await detect(evil), { project: 'shop', environment: 'default', path: evil });
  git(evil, 'config', 'core.worktree', '/');
  t.match(await detect(join(evil, 'src')), { project: 'shop', path: join(evil, 'src') });
  const above = join(evil, '..', 'ports.yaml');
  writeFileSync(above, 'project: other\n');
  chownSync(above, NOBODY, NOBODY);
  t.match(await detect(evil), { project: 'shop', services: null }, 'a ports.yaml of another user does not count');
  mkdirSync(join(shop, 'src', '.git'), { recursive: true });
  t.match(await detect(join(shop, 'src')), { path: shop }, 'git passes over an empty .git');
});

t.test('a repository that git cannot read to its end keeps nobody waiting for long', async (t) => {
  const folder = makeRepository(t);
  execFileSync('mkfifo', [join(folder, 'pipe')]);
  git(folder, 'config', 'include.path', join(folder, 'pipe'));
  const start = performance.now();
  await t.rejects(detect(folder), { message: /: git did not answer within 2\.5 s\.$/ });
  const took = performance.now() - start;
  t.ok(took < 5000, `${took} ms`);
});

t.test('a link that leaves the folder is not read, so that nothing of other files is told', async (t) => {
  const folder = makeRepository(t, 'shop');
  const secret = join(makeFolder(t), 'secret.yaml');
  writeFileSync(secret, 'project: hunter2\ntoken: abc\n');
  for (const target of [secret, '/proc/self/environ', '/proc/self/pagemap']) {
    rmSync(join(folder, 'ports.yaml'), { force: true });
    symlinkSync(target, join(folder, 'ports.yaml'));
    await t.rejects(detect(folder), {
      message: `${folder}/ports.yaml is a link that leads out of ${folder}, and is not read.`,
    });
  }
  rmSync(join(folder, 'ports.yaml'));
  mkdirSync(join(folder, 'conf'));
  writeFileSync(join(folder, 'conf', 'ports.yaml'), 'project: inside\n');
  symlinkSync(join('conf', 'ports.yaml'), join(folder, 'ports.yaml'));
  t.match(await detect(folder), { project: 'inside' }, 'a link within the working tree is read');
  const plain = makeFolder(t, 'plain');
  symlinkSync('/proc/self/pagemap', join(plain, 'package.json'));
  t.match(await detect(plain), { project: 'plain' }, 'a file without an end');
});
