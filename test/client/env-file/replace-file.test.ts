import { execFile } from 'node:child_process';
import fs from 'node:fs';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import t, { type Test } from 'tap';
import { replaceFile } from '../../../src/client/env-file/replace-file.js';
import { packageRoot } from '../../../src/package-root.js';

const isRoot = process.getuid?.() === 0;
const append = (text: string) => (content: Buffer) => Buffer.concat([content, Buffer.from(text)]);
const folderOf = (t: Test) => fs.realpathSync(t.testdir());
const contentOf = (file: string) => fs.readFileSync(file, 'utf8');

t.test('a new file has the mode that the umask gives, and one that is there keeps its own', async (t) => {
  const file = join(folderOf(t), '.env');
  t.equal(await replaceFile(file, append('A=1\n')), true);
  t.equal(fs.statSync(file).mode & 0o777, 0o666 & ~process.umask());
  fs.chmodSync(file, 0o640);
  if (isRoot) fs.chownSync(file, 4242, 4343);
  t.equal(await replaceFile(file, append('B=2\n')), true);
  const { mode, uid, gid } = fs.statSync(file);
  t.equal(mode & 0o777, 0o640);
  if (isRoot) t.same([uid, gid], [4242, 4343]);
  t.equal(contentOf(file), 'A=1\nB=2\n');
  t.same(fs.readdirSync(dirname(file)), ['.env'], 'nothing is left beside it');
});

t.test('a file whose content stays is not written', async (t) => {
  const file = join(folderOf(t), '.env');
  fs.writeFileSync(file, 'A=1');
  const { ino } = fs.statSync(file);
  t.equal(await replaceFile(file, append('')), false);
  t.equal(fs.statSync(file).ino, ino);
});

t.test('a change that throws leaves the file as it is', async (t) => {
  const file = join(folderOf(t), '.env');
  fs.writeFileSync(file, 'A=1');
  const fail = () => {
    throw new Error('no');
  };
  await t.rejects(replaceFile(file, fail), { message: /no/ });
  t.equal(contentOf(file), 'A=1');
  t.same(fs.readdirSync(dirname(file)), ['.env']);
});

t.test('a link stays, and the file that it leads to is changed', async (t) => {
  const folder = folderOf(t);
  fs.mkdirSync(join(folder, 'real'));
  fs.writeFileSync(join(folder, 'real', 'env'), 'A=1\n');
  fs.symlinkSync(join('real', 'env'), join(folder, '.env'));
  await replaceFile(join(folder, '.env'), append('B=2\n'));
  t.ok(fs.lstatSync(join(folder, '.env')).isSymbolicLink());
  t.equal(contentOf(join(folder, 'real', 'env')), 'A=1\nB=2\n');
});

t.test('what cannot be written is refused', async (t) => {
  const folder = folderOf(t);
  fs.symlinkSync('nowhere', join(folder, 'dangling'));
  const refused = (file: string, message: RegExp) =>
    t.rejects(replaceFile(file, append('x')), { kind: 'refused', message }, message.source);
  await refused(folder, /is a folder\.$/);
  await refused(join(folder, 'dangling'), /is a link to a file that is not there\.$/);
  await refused(join(folder, 'none', '.env'), /is in a folder that is not there\.$/);
  await refused('/dev/null', /is no regular file\.$/);
});

t.test('what is read-only is refused', { skip: isRoot && 'root may write everything' }, async (t) => {
  const folder = folderOf(t);
  fs.writeFileSync(join(folder, '.env'), 'A=1', { mode: 0o444 });
  await t.rejects(replaceFile(join(folder, '.env'), append('x')), { message: /cannot be written\.$/ });
});

t.test('of processes that change a file at once, none loses what another has written', async (t) => {
  const file = join(folderOf(t), '.env');
  const url = pathToFileURL(join(packageRoot, 'dist/src/client/env-file/replace-file.js')).href;
  const script = `
    const { replaceFile } = await import('${url}');
    for (let i = 0; i < 20; i++) {
      await replaceFile(process.argv[1], (content) => Buffer.concat([content, Buffer.from('x\\n')]));
    }`;
  const run = () => promisify(execFile)(process.execPath, ['--input-type=module', '-e', script, file]);
  await Promise.all([run(), run(), run()]);
  t.equal(contentOf(file), 'x\n'.repeat(60));
  t.same(fs.readdirSync(dirname(file)), ['.env']);
});

t.test('a lock that a crash has left behind stops nobody', async (t) => {
  const file = join(folderOf(t), '.env');
  fs.writeFileSync(`${file}.port-allocator-lock`, '');
  fs.writeFileSync(`${file}.lock`, 'of another program');
  await replaceFile(file, append('A=1'));
  t.same(fs.readdirSync(dirname(file)), ['.env', '.env.lock']);
});
