// What another user of the machine can do to a running service: nothing, also where its folder was open before.
import { execFileSync } from 'node:child_process';
import { chmod, lstat, mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { readHolder } from '../../src/embedded/holder.js';
import { makeDataDir, makeSeededDir } from '../helpers/database.js';
import { asNobody, withoutRoot } from '../helpers/other-user.js';
import { startService } from '../helpers/service.js';

/** What the other user tries at each path, of which each prints how it ended. */
const ATTACK = `
  const { promises: fs } = require('fs');
  const tries = {
    read: (path) => fs.readFile(path),
    list: (path) => fs.readdir(path),
    write: (path) => fs.appendFile(path, 'x'),
    create: (path) => fs.writeFile(path + '.planted', 'x'),
    link: (path) => fs.symlink('/etc/passwd', path + '.link'),
    remove: (path) => fs.rm(path, { recursive: true }),
    rename: (path) => fs.rename(path, path + '.moved'),
    chmod: (path) => fs.chmod(path, 0o777),
    connect: (path) => new Promise((resolve, reject) => require('net').connect(path, resolve).on('error', reject)),
  };
  (async () => {
    const ended = {};
    for (const path of process.argv.slice(1)) {
      for (const [name, attempt] of Object.entries(tries)) {
        const outcome = await attempt(path).then(() => 'done', ({ code }) => code);
        (ended[outcome] ??= []).push(name + ' ' + path);
      }
    }
    console.log(JSON.stringify(ended));
    process.exit();
  })();`;

/** Attacks everything in the data folder of a running service. */
async function attack(t: Test, dataDir: string): Promise<void> {
  const service = await startService(t, { DATA_DIR: dataDir }).ready();
  const endpoint = (await readHolder(dataDir))?.path as string;
  const names = (await readdir(dataDir, { recursive: true })).filter((name) => !/^database\/.*\d/.test(name));
  for (const name of ['lock', 'service.lock', 'holder.json', 'socket', 'database/PG_VERSION'])
    t.ok(names.includes(name));
  const ended = (await asNobody(ATTACK, endpoint, ...names.map((name) => join(dataDir, name)))) as object;
  t.same(Object.keys(ended), ['EACCES'], 'nothing in the folder can be reached');

  const onFolder = (await asNobody(ATTACK, dataDir)) as { [outcome: string]: string[] };
  const { EACCES, EPERM, EISDIR, ...others } = onFolder;
  t.same(others, {}, 'and nothing can be done to the folder itself');

  const open = [dataDir, ...(await readdir(dataDir, { recursive: true })).map((name) => join(dataDir, name))];
  const modes = await Promise.all(open.map(async (path) => [path, (await lstat(path)).mode & 0o077] as const));
  t.same(
    modes.filter(([, mode]) => mode !== 0),
    [],
    `none of ${modes.length} files and folders is open to others`,
  );
  t.equal((await service.call('PUT', '/v1/projects/odin/services/api')).body.port, 3300);
  t.equal(await service.kill('SIGTERM'), 0);
}

t.test('a service on a new folder', { skip: withoutRoot }, async (t) => {
  await attack(t, join(await makeDataDir(t), 'new'));
});

t.test('a service on a folder that was open until then', { skip: withoutRoot }, async (t) => {
  const parent = await makeSeededDir(t);
  await chmod(parent, 0o755);
  const dataDir = join(parent, 'data');
  await mkdir(dataDir);
  execFileSync('mv', [join(parent, 'database'), dataDir]);
  execFileSync('chmod', ['-R', 'a+rwX', dataDir]);
  const planted = join(dataDir, 'database', 'planted');
  await asNobody(`fs.writeFileSync(process.argv[1], ''); console.log('{}')`, planted);
  await rm(planted); // until then, another user could write there
  await attack(t, dataDir);
});
