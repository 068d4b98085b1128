// The service in the background: clients that start it all at once, that it ends by itself, makes room for one in the
// foreground without a call that fails, and that kill -9 takes nothing from it that was acknowledged.
import { mkdir, readFile, rename, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { ALREADY_HELD, startBackground } from '../../src/embedded/background.js';
import { readHolder } from '../../src/embedded/holder.js';
import { stopService } from '../../src/operator/stop.js';
import { makeDataDir, makeSeededDir } from '../helpers/database.js';
import { Load } from '../helpers/load.js';
import { askSocket, callOverSocket, findSocket, startInBackground } from '../helpers/local.js';
import { asNobody, withoutRoot } from '../helpers/other-user.js';
import { runCommand, startProcess, startService } from '../helpers/service.js';

const STARTERS = 5;
const KILLS = Number(process.env.CRASH_ROUNDS ?? 4);

t.setTimeout(300_000);

t.test(`${STARTERS} that are started at once are one service, on a folder that is not there yet`, async (t) => {
  const dataDir = join(await makeDataDir(t), 'new');
  const started = Array.from({ length: STARTERS }, () => startInBackground(t, dataDir));
  const ended = Promise.all(started.map(({ exited, child }) => exited.then((code) => ({ code, pid: child.pid }))));
  const path = await findSocket(dataDir);
  const { body } = await askSocket(path, 'GET', '/process');
  t.match(body, { mode: 'background', url: null, dataDir });
  const others = started.filter(({ child }) => child.pid !== body.pid);
  t.equal(others.length, STARTERS - 1);
  for (const { exited, output } of others) {
    t.equal(await exited, ALREADY_HELD);
    t.match(output(), /^\S+ is in use by another Port Allocator.*\n$/);
  }
  t.equal((await askSocket(path, 'PUT', '/v1/projects/odin/services/api')).body.port, 3300);
  t.match(await runCommand(t, ['stop', '--json'], { PORT_ALLOCATOR_DATA_DIR: dataDir }), {
    code: 0,
    output: `"pid": ${body.pid}`,
  });
  t.equal((await ended).filter(({ code }) => code === 0).length, 1);
  t.match(await runCommand(t, ['stop'], { PORT_ALLOCATOR_DATA_DIR: dataDir }), {
    code: 0,
    output: `No service runs on ${dataDir}.\n`,
  });
});

t.test('a client starts one that outlives it, and reads why one cannot start', async (t) => {
  const awake = setInterval(() => {}, 1000); // what it has started does not keep a client from ending
  t.teardown(() => clearInterval(awake));
  const dataDir = await makeSeededDir(t);
  const first = startBackground(dataDir, { idleSeconds: 60 });
  const path = await findSocket(dataDir);
  t.match(await startBackground(dataDir), {
    code: ALREADY_HELD,
    reason: /in use by another Port Allocator \(pid \d+\)/,
  });
  const environment = await readFile(`/proc/${(await readHolder(dataDir))?.pid}/environ`, 'utf8').catch(() => null);
  if (environment !== null) {
    const names = environment.split('\0').flatMap((each) => each.split('=')[0] || []);
    t.same(
      names.filter((name) => !['DATA_DIR', 'HOME', 'TMPDIR', 'TEMP', 'TMP'].includes(name)),
      [],
    );
  }
  t.equal((await askSocket(path, 'GET', '/readyz')).status, 200);
  t.match(await stopService(dataDir), { mode: 'background' });
  t.same(await first, { code: 0, reason: '' });

  const broken = await makeDataDir(t);
  await writeFile(join(broken, 'database'), '');
  t.match(await startBackground(broken), { code: 1, reason: /^DATA_DIR: / });
  t.match(await readFile(join(broken, 'service.log'), 'utf8'), /"Could not start"/);
});

t.test('it ends by itself, but not while a request is under way or others come', async (t) => {
  const dataDir = await makeSeededDir(t);
  const { exited, output } = startInBackground(t, dataDir, '--idle-seconds', '2');
  const path = await findSocket(dataDir);
  let ended = false;
  exited.then(() => (ended = true));
  for (let i = 0; i < 8; i++) {
    await sleep(500);
    t.equal((await askSocket(path, 'GET', '/livez')).status, 200);
  }
  const slow = askSocket(path, 'POST', '/v1/audits', { host: 'localhost', startPort: 3000, endPort: 9999 });
  await slow.catch(() => {});
  t.equal(ended, false);
  const began = Date.now();
  t.equal(await exited, 0);
  t.ok(Date.now() - began > 1000, `ended ${Date.now() - began} ms after the last answer`);
  t.equal(output(), '');
  t.equal(await readHolder(dataDir), null);
  await t.rejects(stat(path), { code: 'ENOENT' });
});

t.test('a service in the foreground takes its place under load, and no call fails', async (t) => {
  const dataDir = await makeSeededDir(t);
  const call = callOverSocket(dataDir);
  const load = new Load(() => ({ call }), { project: 'shared-services', callers: 8 });
  // What a client does that finds no service: it starts one, which ends at once where somebody has the lock or waits.
  let isCalled = true;
  const starting = (async () => {
    while (isCalled) {
      if ((await readHolder(dataDir)) === null) {
        const { exited } = startInBackground(t, dataDir);
        await Promise.race([exited, findSocket(dataDir)]);
      }
      await sleep(100);
    }
  })();
  for (let i = 0; i < 2; i++) {
    await findSocket(dataDir);
    await sleep(500);
    const service = await startService(t, { DATA_DIR: dataDir }).ready();
    await findSocket(dataDir);
    t.match(await readHolder(dataDir), { pid: service.child.pid, mode: 'foreground', url: await service.url });
    t.equal((await service.call('GET', '/process')).status, 404);
    const before = load.acknowledged.size;
    while (load.acknowledged.size < before + 20) await sleep(20);
    t.equal(await service.kill('SIGTERM'), 0);
  }
  await load.stop();
  isCalled = false;
  await starting;
  t.same([...load.outcomes.keys()].sort(), ['200', '201'], JSON.stringify([...load.outcomes]));
  t.same(await load.findBrokenPromises({ call }), []);
  t.match(await stopService(dataDir), { mode: 'background' });
});

t.test(`${KILLS} times kill -9 lose nothing that was acknowledged, and the next one starts at once`, async (t) => {
  const dataDir = await makeSeededDir(t);
  const call = callOverSocket(dataDir);
  const loads: Load[] = [];
  for (let round = 0; round < KILLS; round++) {
    const service = startInBackground(t, dataDir);
    while ((await readHolder(dataDir))?.pid !== service.child.pid) await sleep(10);
    const path = await findSocket(dataDir);
    for (const [i, load] of loads.entries()) {
      t.same(await load.findBrokenPromises({ call }), [], `round ${i + 1} after kill ${round}`);
    }
    const direct = (...[method, url, body]: Parameters<typeof call>) => askSocket(path, method, url, body);
    const load = new Load(() => ({ call: direct }), { project: 'shared-services', callers: 8 });
    loads.push(load);
    while (load.acknowledged.size === 0) await sleep(10);
    await sleep(500 * Math.random());
    const stopped = load.stop();
    service.child.kill('SIGKILL');
    await service.exited;
    await stopped;
  }
  t.ok(loads.every(({ acknowledged }) => acknowledged.size > 0));
});

t.test('another user of the machine can neither reach it nor end it', { skip: withoutRoot }, async (t) => {
  const dataDir = await makeSeededDir(t);
  const { child } = startInBackground(t, dataDir);
  const path = await findSocket(dataDir);
  const attack = `
    const tries = {
      ask: (done) => http.request({ socketPath: process.argv[1], path: '/process', method: 'DELETE' }).on('error', ({ code }) => done(code)).on('response', ({ statusCode }) => done(statusCode)).end(),
      read: (done) => fs.readFile(process.argv[2], (error) => done(error?.code)),
      kill: (done) => { try { process.kill(Number(process.argv[3]), 'SIGTERM'); done('done'); } catch ({ code }) { done(code); } },
    };
    Promise.all(Object.values(tries).map((attempt) => new Promise(attempt))).then((ended) => console.log(JSON.stringify(ended)));`;
  const tried = await asNobody(attack, path, join(dataDir, 'service.log'), String(child.pid));
  t.same(tried, ['EACCES', 'EACCES', 'EPERM']);
  t.equal((await askSocket(path, 'GET', '/livez')).status, 200);
});

t.test(
  'where the path of the folder is too long for a socket, it is elsewhere, and nothing of it is left',
  async (t) => {
    const short = await makeSeededDir(t);
    const dataDir = join(short, 'x'.repeat(120));
    await mkdir(dataDir);
    await rename(join(short, 'database'), join(dataDir, 'database'));
    const killed = startInBackground(t, dataDir);
    const left = await findSocket(dataDir);
    t.notOk(left.startsWith(dataDir));
    killed.child.kill('SIGKILL');
    await killed.exited;
    const service = startInBackground(t, dataDir);
    while ((await readHolder(dataDir))?.pid !== service.child.pid) await sleep(10);
    const path = await findSocket(dataDir);
    await t.rejects(stat(join(left, '..')), { code: 'ENOENT' }, 'the next one removes what the killed one has left');
    t.match(await askSocket(path, 'DELETE', '/process'), { status: 202 });
    t.equal(await service.exited, 0);
    await t.rejects(stat(join(path, '..')), { code: 'ENOENT' });
  },
);

t.test('commands of an operator take the registry from it, and not from one in the foreground', async (t) => {
  const dataDir = await makeSeededDir(t);
  const background = startInBackground(t, dataDir);
  await findSocket(dataDir);
  const file = join(await makeDataDir(t), 'backup.tar.gz');
  t.match(await runCommand(t, ['backup', file], { DATA_DIR: dataDir }), { code: 0, output: `Backed up ${dataDir} to` });
  t.equal(await background.exited, 0);
  const service = await startService(t, { DATA_DIR: dataDir }).ready();
  const refusal = `is in use by another Port Allocator (pid ${service.child.pid}, ${await service.url}), and two`;
  for (const args of [['backup', `${file}.2`], ['migrate'], ['seed'], ['restore', file]]) {
    t.match(await runCommand(t, args, { DATA_DIR: dataDir }), { code: 1, output: refusal }, args[0] as string);
  }
  const second = startProcess(t, 'src/main.js', { DATA_DIR: dataDir, PORT: '0' });
  t.equal(await second.exited, 1);
  t.match(second.output(), refusal);
  t.match(await runCommand(t, ['stop'], { PORT_ALLOCATOR_DATA_DIR: dataDir }), {
    code: 0,
    output: `Stopped the service in the foreground (pid ${service.child.pid}, ${await service.url}).`,
  });
  t.equal(await service.exited, 0);
});
