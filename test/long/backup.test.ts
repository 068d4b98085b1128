// Backup and restore of the embedded database. test/deploy/backup.test.ts has the commands, as docs/backup.md gives
// them.
import { execFileSync } from 'node:child_process';
import { chmod, cp, link, lstat, mkdir, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { create } from 'tar';
import { backUp, restore } from '../../src/embedded/backup.js';
import { makeDataDir } from '../helpers/database.js';

const dataDir = await makeDataDir(t);
await cp(join(process.env.TEST_DATA_DIR ?? '', 'database'), join(dataDir, 'database'), { recursive: true });
const folder = await makeDataDir(t);
const file = join(folder, 'backup.tar.gz');
await backUp(dataDir, file);

t.test('a backup is one file that only its owner can read', async (t) => {
  t.same(await readdir(folder), ['backup.tar.gz']);
  t.equal((await stat(file)).mode & 0o777, 0o600);
});

t.test('a file that exists is never overwritten', async (t) => {
  const other = join(folder, 'other');
  await writeFile(other, 'kept');
  await t.rejects(backUp(dataDir, other), { name: 'CommandRefused', message: /exists already/ });
  t.equal(await readFile(other, 'utf8'), 'kept');
});

t.test('a link that lies where the backup is written is not followed', async (t) => {
  const open = t.testdir({ victim: 'kept' });
  await symlink(join(open, 'victim'), join(open, 'backup.partial'));
  await backUp(dataDir, join(open, 'backup'));
  t.equal(await readFile(join(open, 'victim'), 'utf8'), 'kept');
  t.same(await readdir(open), ['backup', 'victim']);
  const backup = await lstat(join(open, 'backup'));
  t.same([backup.isFile(), backup.mode & 0o777], [true, 0o600]);

  await symlink(join(open, 'nothing'), join(open, 'leads-nowhere'));
  await t.rejects(backUp(dataDir, join(open, 'leads-nowhere')), { message: /exists already/ });
});

t.test('a folder without a registry is refused, and no registry is created', async (t) => {
  const none = await makeDataDir(t);
  await t.rejects(backUp(none, join(folder, 'none')), { name: 'CommandRefused', message: /holds no registry/ });
  t.same(await readdir(none), []);
});

t.test('an existing registry is never replaced', async (t) => {
  await t.rejects(restore(dataDir, file), { name: 'CommandRefused', message: /holds a registry already/ });
});

t.test('a backup is restored, file by file', async (t) => {
  const target = await makeDataDir(t);
  t.equal(await restore(target, file), 0);
  t.same(await readdir(target), ['database']);
});

t.test('what is restored is for this user alone, and the owners and modes of the archive do not count', async (t) => {
  const open = join(await makeDataDir(t), 'open.tar.gz');
  const source = await makeDataDir(t);
  await cp(join(dataDir, 'database'), join(source, 'database'), { recursive: true });
  for (const name of await readdir(source, { recursive: true })) await chmod(join(source, name), 0o6777);
  await create(
    { file: open, cwd: source, gzip: true, onWriteEntry: ({ stat }) => Object.assign(stat as object, { uid: 65_534 }) },
    ['database'],
  );
  const target = await makeDataDir(t);
  t.equal(await restore(target, open), 0);
  for (const name of ['database', ...(await readdir(target, { recursive: true }))]) {
    const found = await stat(join(target, name));
    const expected = found.isDirectory() ? 0o700 : 0o600;
    if ((found.mode & 0o7777) !== expected || found.uid !== process.getuid?.()) t.fail(`${name}: ${found.mode}`);
  }
});

t.test('an archive that leads out of its folder is refused, and nothing is written there', async (t) => {
  const outside = t.testdir({ victim: 'kept' });
  const inArchive = async (paths: (folder: string) => Promise<string[]>) => {
    const folder = await makeDataDir(t);
    await mkdir(join(folder, 'database'));
    await writeFile(join(folder, 'database', 'PG_VERSION'), '17');
    const archive = join(await makeDataDir(t), 'archive');
    execFileSync('tar', ['-P', '-cf', archive, '-C', folder, ...(await paths(folder))]);
    return archive;
  };
  const cases: { [what: string]: (folder: string) => Promise<string[]> } = {
    'an absolute path': async (folder) => [join(folder, 'database', 'PG_VERSION')],
    'a path with two dots': async () => ['database/../database/PG_VERSION'],
    'a link to a file': async (folder) => {
      await symlink(join(outside, 'victim'), join(folder, 'database', 'postmaster.pid'));
      return ['database'];
    },
    'a link to a folder, and a file in it': async (folder) => {
      await symlink(outside, join(folder, 'database', 'base'));
      return ['database'];
    },
    'a hard link': async (folder) => {
      await link(join(folder, 'database', 'PG_VERSION'), join(folder, 'database', 'same'));
      return ['database'];
    },
    'a pipe': async (folder) => {
      execFileSync('mkfifo', [join(folder, 'database', 'pipe')]);
      return ['database'];
    },
  };
  for (const [what, paths] of Object.entries(cases)) {
    const target = await makeDataDir(t);
    const archive = await inArchive(paths);
    // Of an absolute path, the part below the new folder is unpacked, and is no database there.
    const message = / path/.test(what) ? /is no whole backup: / : /it holds more than files and folders/;
    await t.rejects(restore(target, archive), { name: 'CommandRefused', message }, what);
    t.same(await readdir(target), [], what);
  }
  t.same(await readdir(outside), ['victim']);
  t.equal(await readFile(join(outside, 'victim'), 'utf8'), 'kept');
});

t.test('a file that is no complete backup restores nothing', async (t) => {
  const whole = await readFile(file);
  const middle = whole.length >> 1;
  const cases: [name: string, content: Buffer | null][] = [
    ['a file that is not there', null],
    ['another file', Buffer.from('hello')],
    ['an empty file', Buffer.alloc(0)],
    ['a backup cut short', whole.subarray(0, middle)],
    ['a backup without its last bytes', whole.subarray(0, -20)],
    ['a damaged backup', Buffer.from(whole).fill(0, middle, middle + 1000)],
  ];
  for (const [name, content] of cases) {
    const damaged = join(await makeDataDir(t), 'damaged');
    if (content) await writeFile(damaged, content);
    const target = await makeDataDir(t);
    await t.rejects(restore(target, damaged), { name: 'CommandRefused', message: /no whole backup: / }, name);
    t.same(await readdir(target), [], name);
  }
});
