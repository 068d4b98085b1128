// The log of a background service: in its data folder, for its user alone, and never more than two files of a MiB.
import { lstat, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { openServiceLog } from '../../src/process/log.js';
import { makeDataDir } from '../helpers/database.js';
import { until } from '../helpers/until.js';

const MIB = 1024 * 1024;
const LINE = 'x'.repeat(1000);

async function isWritten(dataDir: string, i: number): Promise<boolean> {
  const read = (name: string) => readFile(join(dataDir, name), 'utf8').catch(() => '');
  const files = await Promise.all(['service.log', 'service.log.1'].map(read));
  return files.some((text) => text.includes(`"i":${i},`));
}

t.test('it is continued in a new file, and one older file is kept', async (t) => {
  const dataDir = join(await makeDataDir(t), 'new');
  for (let opened = 0; opened < 2; opened++) {
    const log = await openServiceLog(dataDir, 'info', String);
    for (let n = 1; n <= 1500; n++) {
      const i = 1500 * opened + n;
      log.info({ i }, LINE);
      if (n % 100 === 0) await until(() => isWritten(dataDir, i)); // what cannot be written in time is lost
    }
  }
  t.same((await readdir(dataDir)).sort(), ['service.log', 'service.log.1']);
  for (const name of ['service.log', 'service.log.1']) {
    const { size, mode } = await lstat(join(dataDir, name));
    t.equal(mode & 0o777, 0o600);
    t.ok(size > 0 && size < 1.1 * MIB, `${name}: ${size} bytes`);
  }
  const lines = (await readFile(join(dataDir, 'service.log'), 'utf8')).trimEnd().split('\n');
  t.equal(JSON.parse(lines.at(-1) as string).i, 3000);
  const older = (await readFile(join(dataDir, 'service.log.1'), 'utf8')).trimEnd().split('\n');
  t.equal(JSON.parse(older.at(-1) as string).i + 1, JSON.parse(lines[0] as string).i, 'no line is lost in between');
});

t.test('a link in its place is refused, and nothing is written where it leads', async (t) => {
  const dataDir = await makeDataDir(t);
  const victim = join(await makeDataDir(t), 'victim');
  await writeFile(victim, '');
  await symlink(victim, join(dataDir, 'service.log'));
  await t.rejects(openServiceLog(dataDir, 'info', String), {
    name: 'StartError',
    message: /service\.log was not made/,
  });
  t.equal((await readFile(victim)).length, 0);
});
