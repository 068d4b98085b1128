// Backup and restore of the embedded database. test/deploy/backup.test.ts has the commands, as docs/backup.md gives
// them.
import { cp, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
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
