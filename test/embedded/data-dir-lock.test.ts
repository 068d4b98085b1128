import { stat, symlink } from 'node:fs/promises';
import { basename, join } from 'node:path';
import t from 'tap';
import { DataDirLockedError, lockDataDir } from '../../src/embedded/data-dir-lock.js';

t.test('a folder is the same by every path that leads to it', async (t) => {
  const folder = t.testdir({ data: {} });
  await symlink(join(folder, 'data'), join(folder, 'link'));
  const lock = await lockDataDir(join(folder, 'data'));
  for (const path of ['data/', 'link', 'link/', `../${basename(folder)}/data`]) {
    await t.rejects(lockDataDir(join(folder, path)), DataDirLockedError, path);
  }
  await lock.release();
  await (await lockDataDir(join(folder, 'link'))).release();
});

t.test('a folder that is missing is created for this user alone, with those above it', async (t) => {
  const folder = join(t.testdir(), 'a/b/c');
  await (await lockDataDir(folder)).release();
  for (const path of [folder, join(folder, '..')]) t.equal((await stat(path)).mode & 0o777, 0o700);
});

t.test('where no folder can be created, that is told and not tried for ever', { timeout: 10_000 }, async (t) => {
  const folder = t.testdir({ file: 'text' });
  await t.rejects(lockDataDir(join(folder, 'file')), { cause: { code: 'EEXIST' } });
  await t.rejects(lockDataDir(join(folder, 'file/data')), { cause: { code: 'ENOTDIR' } });
  if (process.platform === 'linux') await t.rejects(lockDataDir('/proc/nope/data'), { cause: { code: 'ENOENT' } });
});
