// The data folder belongs to the user of the process alone, whatever it is like at the start.
import { execFileSync } from 'node:child_process';
import { chmod, chown, lchown, lstat, mkdir, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { lockDataDir, lockUnlessAwaited } from '../../src/embedded/data-dir-lock.js';
import { announce, readHolder } from '../../src/embedded/holder.js';
import { openEmbedded } from '../../src/embedded/pglite.js';
import { makeSeededDir } from '../helpers/database.js';
import { NOBODY, withoutRoot } from '../helpers/other-user.js';

const modeOf = async (path: string) => (await lstat(path)).mode & 0o777;
const lockAndRelease = async (dataDir: string) => (await lockDataDir(dataDir)).release();

/** Finds what others may read, write or enter, below a folder and including it. */
async function findOpen(folder: string): Promise<string[]> {
  const paths = [folder, ...(await readdir(folder, { recursive: true })).map((name) => join(folder, name))];
  const modes = await Promise.all(paths.map(async (path) => [path, await modeOf(path)] as const));
  return modes.filter(([, mode]) => (mode & 0o077) !== 0).map(([path]) => path);
}

t.test('a folder that is empty, or holds only what this program makes, is closed to others', async (t) => {
  for (const content of [
    {},
    { 'lost+found': {} },
    { lock: '', 'holder.json': '{}', 'service.log': '', 'service.log.1': '', database: {} },
  ]) {
    for (const mode of [0o755, 0o777, 0o710, 0o704]) {
      const dataDir = join(t.testdir({ data: content }), 'data');
      await chmod(dataDir, mode);
      await lockAndRelease(dataDir);
      t.equal(await modeOf(dataDir), 0o700);
    }
  }
});

t.test('an open folder with files of something else is refused, and left as it is', async (t) => {
  const dataDir = join(t.testdir({ data: { passwd: 'root', lock: '' } }), 'data');
  await chmod(dataDir, 0o755);
  await t.rejects(lockDataDir(dataDir), {
    name: 'StartError',
    message: `DATA_DIR: ${dataDir} is open to other users (mode 0755), and is not closed here, because it holds files of something else (passwd). If the registry is in it already, close it (chmod 700 ${dataDir})`,
  });
  t.equal(await modeOf(dataDir), 0o755);
  await lockAndRelease(join(dataDir, 'port-allocator')); // as the message says
  await chmod(dataDir, 0o700);
  await lockAndRelease(dataDir);
});

t.test('a folder of another user is refused, and what the refusal says helps', { skip: withoutRoot }, async (t) => {
  const dataDir = join(t.testdir({ data: {} }), 'data');
  for (const mode of [0o700, 0o755, 0o777, 0o2775]) {
    await chown(dataDir, NOBODY, NOBODY);
    await chmod(dataDir, mode);
    await t.rejects(lockDataDir(dataDir), {
      name: 'StartError',
      message: `DATA_DIR: ${dataDir} belongs to another user (uid ${NOBODY}; this process has 0), who could`,
    });
    t.same(await readdir(dataDir), []);
  }
  await lockAndRelease(join(dataDir, 'port-allocator'));
  t.equal(await modeOf(join(dataDir, 'port-allocator')), 0o700);
});

t.test(
  'a link leads to the folder if it is of this user or root, and of nobody else',
  { skip: withoutRoot },
  async (t) => {
    const folder = t.testdir({ data: {} });
    const link = join(folder, 'link');
    await symlink(join(folder, 'data'), link);
    await lockAndRelease(link);
    t.equal(await modeOf(join(folder, 'data')), 0o700);
    await lchown(link, NOBODY, NOBODY);
    for (const path of [link, `${link}/`])
      await t.rejects(lockDataDir(path), { name: 'StartError', message: /is a link/ });
  },
);

t.test('all files of a database that was open to others are closed', async (t) => {
  const dataDir = await makeSeededDir(t);
  execFileSync('chmod', ['-R', 'a+rwX', dataDir]);
  const database = await openEmbedded(dataDir, lockDataDir);
  t.same(await findOpen(dataDir), []);
  await database.pool.query('create table made (id integer)');
  await database.pool.query('checkpoint');
  await database.close();
  t.same(await findOpen(dataDir), [], 'and so are those that were made since');
});

t.test('nothing that another user put into the database is opened', async (t) => {
  const plant: { [what: string]: (folder: string, elsewhere: string) => Promise<void> } = {
    'a link to a file': (folder, elsewhere) => symlink(join(elsewhere, 'victim'), join(folder, 'postmaster.pid.new')),
    'a link to a folder': (folder, elsewhere) => symlink(elsewhere, join(folder, 'pg_tblspc', '1')),
    ...(withoutRoot === false && {
      'a file of another user': (folder) => chown(join(folder, 'PG_VERSION'), NOBODY, NOBODY),
    }),
  };
  for (const [what, put] of Object.entries(plant)) {
    const dataDir = await makeSeededDir(t);
    const elsewhere = t.testdir({ victim: 'kept' });
    await put(join(dataDir, 'database'), elsewhere);
    await t.rejects(
      openEmbedded(dataDir, lockDataDir),
      { name: 'StartError', message: /it is a link, or belongs/ },
      what,
    );
    t.same(await readdir(elsewhere), ['victim']);
    t.equal(await readFile(join(elsewhere, 'victim'), 'utf8'), 'kept');
  }
});

t.test('a link in place of the database is not followed, and an unfinished one is removed', async (t) => {
  const folder = t.testdir({ data: {}, elsewhere: { victim: 'kept' } });
  const dataDir = join(folder, 'data');
  const unfinished = `.port-allocator-unfinished-${process.pid}`;
  for (const name of ['database', unfinished]) await symlink(join(folder, 'elsewhere'), join(dataDir, name));
  await t.rejects(openEmbedded(dataDir, lockDataDir), { name: 'StartError', message: /\/database was not made by/ });
  t.notOk((await readdir(dataDir)).includes(unfinished));
  t.same(await readdir(join(folder, 'elsewhere')), ['victim']);
});

t.test('a link or a pipe in place of a lock is refused, and nothing is created where it leads', async (t) => {
  for (const name of ['lock', 'service.lock']) {
    const folder = t.testdir({ data: {} });
    await symlink(join(folder, 'victim'), join(folder, 'data', name));
    const refusal = { name: 'StartError', message: new RegExp(`/${name} was not made by`) };
    await t.rejects(lockUnlessAwaited(join(folder, 'data')), refusal);
    t.same(await readdir(folder), ['data']);
  }
  if (process.platform === 'win32') return;
  const dataDir = t.testdir({});
  execFileSync('mkfifo', [join(dataDir, 'lock')]);
  await t.rejects(lockDataDir(dataDir), { name: 'StartError', message: /\/lock was not made by/ });
});

t.test('the holder’s file is written anew and read as it is, whatever link lies there', async (t) => {
  const holder = { mode: 'background', url: null, path: '/elsewhere/socket' } as const;
  const folder = t.testdir({ data: {}, victim: JSON.stringify({ pid: 1, ...holder }) });
  const [dataDir, victim] = [join(folder, 'data'), join(folder, 'victim')];
  const before = await readFile(victim, 'utf8');
  for (const name of ['holder.json', 'holder.json.new']) await symlink(victim, join(dataDir, name));
  t.equal(await readHolder(dataDir), null);
  await announce(dataDir, holder);
  t.equal(await readFile(victim, 'utf8'), before);
  t.same(await readHolder(dataDir), { pid: process.pid, ...holder });
  t.ok((await lstat(join(dataDir, 'holder.json'))).isFile());
  t.equal(await modeOf(join(dataDir, 'holder.json')), 0o600);
});

t.test('a holder’s file that another user wrote is not believed', { skip: withoutRoot }, async (t) => {
  const dataDir = t.testdir({});
  await announce(dataDir, { mode: 'background', url: null, path: '/elsewhere/socket' });
  await chown(join(dataDir, 'holder.json'), NOBODY, NOBODY);
  t.equal(await readHolder(dataDir), null);
});

t.test('a holder’s file that makes no sense is no holder, and keeps nobody from locking', async (t) => {
  const dataDir = t.testdir({});
  for (const [text, holder] of [
    ['', null],
    ['null', null],
    ['{"pid":1}', null],
    ['{"pid":"1","mode":"background","url":null}', null],
    ['{"pid":1,"mode":"background","url":7,"path":8}', { pid: 1, mode: 'background', url: null }],
  ] as const) {
    await writeFile(join(dataDir, 'holder.json'), text);
    t.same(await readHolder(dataDir), holder);
    await lockAndRelease(dataDir);
  }
  await mkdir(join(dataDir, 'holder.json.new'));
  await t.rejects(lockDataDir(dataDir), { name: 'StartError' });
  t.ok((await stat(join(dataDir, 'holder.json.new'))).isDirectory());
});
