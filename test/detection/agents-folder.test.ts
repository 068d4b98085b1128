// An agent may name any folder, also one that it has only downloaded. To read it always ends, with a short answer.
import { execFile, execFileSync } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import t from 'tap';
import { detectAgentsFolder, tellAgent } from '../../src/detection/agents-folder.js';
import { detect as detectForCommand } from '../../src/detection/detect.js';
import { git, makeFolder, makeRepository, replaceGit } from '../helpers/git.js';
import { asNobody, NOBODY, withoutRoot } from '../helpers/other-user.js';

const detect = (folder: string) => detectAgentsFolder({ folder });

t.test('what is no regular file is not opened', async (t) => {
  const folder = makeFolder(t, 'bag');
  for (const name of ['package.json', 'ports.yaml']) execFileSync('mkfifo', [join(folder, name)]);
  t.match(await detect(folder), { project: 'bag', services: null });
  const other = makeFolder(t, 'box');
  symlinkSync('/dev/zero', join(other, 'package.json'));
  t.match(await detect(other), { project: 'box' });
  const large = makeFolder(t, 'crate');
  writeFileSync(join(large, 'package.json'), `{ "name": "other", "x": "${'x'.repeat(1024 * 1024)}" }`);
  t.match(await detect(large), { project: 'crate' });
  execFileSync('mkfifo', [join(large, 'pipe')]);
  await t.rejects(detect(join(large, 'pipe')), { message: /^There is no folder / });
});

t.test('working trees, bare repositories and submodules', async (t) => {
  const shop = makeRepository(t, 'shop');
  const cart = makeRepository(t, 'cart');
  git(shop, 'submodule', '--quiet', 'add', cart, 'parts/cart');
  const bare = join(shop, '..', 'bare.git');
  git(shop, 'clone', '--quiet', '--bare', shop, bare);
  const linked = join(shop, '..', 'linked');
  git(bare, 'worktree', 'add', '--quiet', linked);
  const link = join(shop, '..', 'link');
  symlinkSync(join(shop, 'parts'), link);
  for (const [folder, expected] of [
    [join(shop, 'parts'), { project: 'shop', environment: 'default', path: shop }],
    [link, { project: 'shop', path: shop }],
    [join(shop, 'parts', 'cart'), { project: 'cart', environment: 'default', path: join(shop, 'parts', 'cart') }],
    [join(shop, '.git'), { project: 'shop', environment: 'default' }],
    [bare, { project: 'shop', environment: 'default', path: bare }],
    [linked, { project: 'shop', environment: 'linked', path: linked }],
  ] as const) {
    t.match(await detect(folder), expected, folder);
  }
});

t.test('a folder of which nothing can be said', async (t) => {
  const folder = makeFolder(t);
  writeFileSync(join(folder, 'file'), '');
  const control = join(folder, 'two\nlines');
  mkdirSync(control);
  symlinkSync(control, join(folder, 'link'));
  for (const [given, expected] of [
    ['web', /^web is no absolute path/],
    ['~/shop', /^~\/shop is no absolute path/],
    ['C:\\shop', /^C:\\shop is no absolute path/],
    ['\\\\nas\\shop', /is no absolute path/],
    [join(folder, 'file'), /^There is no folder /],
    [join(folder, 'nothing'), /^There is no folder /],
    [`/${'x'.repeat(5000)}`, /^There is no folder /],
    [`${folder}\0`, /^There is no folder /],
    [join(folder, 'link'), /^The path ".*two\\nlines" has control characters/],
    ['/', /^\/ is no project's folder/],
  ] as const) {
    await t.rejects(detect(given), { message: expected }, given.slice(0, 100));
  }
});

t.test('of a ports.yaml with many errors an agent is told the first five, and the command all', async (t) => {
  const folder = makeFolder(t, 'shop');
  const file = join(folder, 'ports.yaml');
  for (const [text, count] of [
    ['x: ['.repeat(100), null],
    ['!!x\n'.repeat(10_000), null],
    [Array.from({ length: 5000 }, (_, i) => `x${i}: 1\n`).join(''), 5000],
    ['a: 1\nb: 1\nc: 1\nd: 1\ne: 1\n', 5],
    ['a: 1\nb: 1\nc: 1\nd: 1\ne: 1\nf: 1\n', 6],
  ] as const) {
    writeFileSync(file, text);
    const { message: toAgent } = await detect(folder).catch((error) => error);
    const { message: toUser } = await detectForCommand({ folder }).catch((error) => error);
    const [lines, all] = [toAgent.split('\n'), toUser.split('\n')];
    t.same(lines.slice(0, 5), all.slice(0, 5));
    t.same(lines.slice(5), all.length > 5 ? [`Further errors in it: ${all.length - 5}.`] : []);
    t.ok(toAgent.length < 2000, `${toAgent.length} characters`);
    if (count !== null) t.equal(all.length, count);
  }
});

t.test('a file on a drive that does not answer stops nobody else, because no file is waited for', async (t) => {
  const [manifest, faulty, packed] = ['manifest', 'faulty', 'packed'].map((name) => makeFolder(t, name));
  writeFileSync(join(manifest as string, 'ports.yaml'), 'services: { web: }');
  writeFileSync(join(faulty as string, 'ports.yaml'), 'x: 1');
  writeFileSync(join(packed as string, 'package.json'), '{ "name": "bag" }');
  // The modules that are loaded on the way are loaded before the mark: Node waits for their files.
  const source = `const { detectAgentsFolder } = await import(process.argv[1]);
    const detect = (folder) => detectAgentsFolder({ folder }).catch(({ message }) => ({ message }));
    const [, , manifest, faulty, packed] = process.argv;
    await detect(faulty);
    process.stderr.write('loaded');
    console.log(JSON.stringify([await detect(manifest), await detect(faulty), await detect(packed)]));`;
  const module = new URL('../../src/detection/agents-folder.js', import.meta.url).href;
  const options = ['--trace-sync-io', '--input-type=module', '-e', source, module];
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [
    ...options,
    manifest,
    faulty,
    packed,
  ] as string[]);
  t.match(JSON.parse(stdout), [{ services: ['web'] }, { message: /x is not a known field/ }, { project: 'bag' }]);
  t.match(stderr, /loaded/);
  t.equal(stderr.replace(/^.*loaded/s, ''), '', 'Node warns of each file that it waits for');
});

t.test('a repository of another user, and a folder that is closed', { skip: withoutRoot }, async (t) => {
  const folder = makeRepository(t, 'shop');
  chownSync(folder, NOBODY, NOBODY);
  await t.rejects(detect(folder), {
    message: /git does not read this repository: detected dubious ownership/,
    remedy: /^Run git config --global --add safe\.directory /,
  });
  const closed = makeFolder(t, 'closed');
  chmodSync(closed, 0o700);
  chmodSync(join(closed, '..'), 0o755);
  const source = `import(process.argv[1]).then(({ detectAgentsFolder }) => detectAgentsFolder({ folder: process.argv[2] }))
    .catch(({ message }) => ({ message })).then((said) => console.log(JSON.stringify(said)))`;
  const module = new URL('../../src/detection/agents-folder.js', import.meta.url).href;
  t.match(await asNobody(source, module, closed), { message: /^There is no folder .*\/closed that can be read\.$/ });
});

t.test('a folder whose path cannot be told', async (t) => {
  const folder = makeFolder(t);
  const odd = Buffer.concat([Buffer.from(`${folder}/`), Buffer.from([0xff, 0xfe])]);
  mkdirSync(odd);
  symlinkSync(odd, join(folder, 'odd'));
  await t.rejects(detect(join(folder, 'odd')), { message: /^The path .*\ufffd is not valid UTF-8\.$/ });
  const deep = join(...Array.from({ length: 15 }, () => 'x'.repeat(200)));
  mkdirSync(join(folder, deep), { recursive: true });
  symlinkSync(join(folder, deep), join(folder, 'half'));
  mkdirSync(join(folder, 'half', deep), { recursive: true });
  symlinkSync(join(folder, 'half', deep), join(folder, 'whole'));
  t.teardown(() => execFileSync('rm', ['-rf', join(folder, 'x'.repeat(200))]));
  await t.rejects(detect(join(folder, 'whole')), { message: /^There is no folder .*whole that can be read\.$/ });
});

t.test('a folder that is removed while it is read', { skip: withoutRoot }, async (t) => {
  const folder = makeFolder(t);
  const above = join(folder, '..', 'ports.yaml');
  writeFileSync(above, '{}');
  chownSync(above, NOBODY, NOBODY);
  replaceGit(t, `rm -rf '${folder}'\necho 'fatal: not a git repository (or any above)' >&2\nexit 128`);
  await t.rejects(detect(folder), { name: 'FolderProblem' });
});

t.test("the system's own folders are no project's", { skip: process.platform !== 'linux' }, async (t) => {
  const link = join(makeFolder(t), 'link');
  symlinkSync('/proc/self', link);
  for (const folder of ['/proc', '/proc/self', '/proc/self/cwd', '//proc/self', '/tmp/../sys', '/dev/fd', link]) {
    await t.rejects(detect(folder), { message: /^\/(proc|sys|dev).* is no project's folder\.$/ }, folder);
    await t.rejects(detectAgentsFolder({ folder, project: { name: 'shop', reason: '' } }), { name: 'FolderProblem' });
  }
});

t.test('what is told of a folder is one line of a kilobyte at most', async (t) => {
  const folder = makeFolder(t);
  const faults = Array.from({ length: 500 }, (_, i) => `größe${i}\u202e: 1`).join('\n');
  writeFileSync(join(folder, 'ports.yaml'), `${faults}\n`);
  for (const given of [folder, `/${'x'.repeat(100_000)}`, `/${'\u0007'.repeat(1000)}`]) {
    const problem = await detect(given).then(
      () => t.fail(),
      (error) => error,
    );
    const told = tellAgent(problem);
    t.match(told, /^[^\p{Cc}\u202e\ufffd]{300,} (Correct|Name) .* instead of cwd\.$/u);
    t.ok(told.length <= 1100);
  }
});
