import { chown, lstat, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { connect } from '../../src/client/connection.js';
import { lockDataDir } from '../../src/embedded/data-dir-lock.js';
import { announce, readHolder } from '../../src/embedded/holder.js';
import { endServiceAtEnd, killService } from '../helpers/agents.js';
import { makeDataDir, makeSeededDir } from '../helpers/database.js';
import { asNobody, NOBODY, withoutRoot } from '../helpers/other-user.js';

t.setTimeout(120_000);

function connectTo(dataDir: string) {
  const told: string[] = [];
  const settings = { url: null, apiKey: null, dataDir, project: null, environment: null };
  const connection = connect(settings, { onWait: (message) => told.push(message) });
  const getPort = (service: string) =>
    connection.send<{ port: number }>({ method: 'PUT', path: `/v1/projects/odin/services/${service}` });
  return { told, getPort };
}

t.test('the first call starts the service, and a call finds the next one when that was killed', async (t) => {
  const dataDir = await makeSeededDir(t);
  endServiceAtEnd(t, dataDir);
  const [one, other] = [connectTo(dataDir), connectTo(dataDir)];
  const ports = await Promise.all([one.getPort('web'), one.getPort('web'), other.getPort('web')]);
  t.same(
    ports.map(({ port }) => port),
    [3300, 3300, 3300],
  );
  const first = await readHolder(dataDir);
  t.equal(first?.mode, 'background');
  t.equal((await connectTo(dataDir).getPort('api')).port, 3301);
  t.equal((await readHolder(dataDir))?.pid, first?.pid, 'it is started once');

  t.equal(await killService(dataDir), first?.pid);
  t.equal((await one.getPort('web')).port, 3300);
  process.kill((await readHolder(dataDir))?.pid as number, 'SIGTERM');
  t.equal((await one.getPort('api')).port, 3301);
});

t.test('a holder of the lock that cannot be reached is told at once', async (t) => {
  const dataDir = await makeSeededDir(t);
  const lock = await lockDataDir(dataDir);
  t.teardown(() => lock.release());
  await announce(dataDir, { mode: 'foreground', url: 'http://127.0.0.1:8080', path: join(dataDir, 'socket') });
  const begun = performance.now();
  await t.rejects(connectTo(dataDir).getPort('web'), {
    kind: 'unreachable',
    message: new RegExp(`cannot be reached from here \\(pid ${process.pid}, `),
    nextStep: /http:\/\/127\.0\.0\.1:8080/,
  });
  t.ok(performance.now() - begun < 20_000); // on a busy machine; it is 2 s
});

t.test('a call waits for a command that works on the data folder, and the user is told', async (t) => {
  const dataDir = await makeSeededDir(t);
  endServiceAtEnd(t, dataDir);
  const lock = await lockDataDir(dataDir);
  const { told, getPort } = connectTo(dataDir);
  const asked = getPort('web');
  while (told.length === 0) await sleep(50);
  t.same(told, [`Waiting for a command that works on ${dataDir} (pid ${process.pid})…`]);
  await lock.release();
  t.equal((await asked).port, 3300);
});

t.test(
  'another user of the machine cannot reach it, and nothing is sent to a socket of hers',
  { skip: withoutRoot },
  async (t) => {
    const dataDir = await makeSeededDir(t);
    endServiceAtEnd(t, dataDir);
    await connectTo(dataDir).getPort('web');
    const path = (await readHolder(dataDir))?.path as string;
    const tried = await asNobody(
      `const end = (result) => { console.log(JSON.stringify(result)); process.exit(); };
     net.connect(process.argv[1]).on('connect', () => end('connected')).on('error', ({ code }) => end(code));`,
      path,
    );
    t.equal(tried, 'EACCES');

    await killService(dataDir);
    const theirs = join(await mkdtemp('/tmp/port-allocator-theirs-'), 'socket');
    t.teardown(() => rm(dirname(theirs), { recursive: true, force: true }));
    await chown(dirname(theirs), NOBODY, NOBODY);
    const received = asNobody(
      `const seen = [];
     net.createServer((socket) => socket.on('data', (data) => seen.push(String(data)))).listen(process.argv[1]);
     setTimeout(() => { console.log(JSON.stringify(seen)); process.exit(); }, 6000);`,
      theirs,
    );
    for (let tries = 0; tries < 100; tries += 1) {
      if (await lstat(theirs).catch(() => null)) break;
      await sleep(50);
    }
    await announce(dataDir, { mode: 'background', url: null, path: theirs });
    t.equal((await connectTo(dataDir).getPort('web')).port, 3300, 'a service of this user is started');
    t.same(await received, []);
  },
);

t.test('a service that cannot start says why', async (t) => {
  const file = join(await makeDataDir(t), 'file');
  await writeFile(file, '');
  await t.rejects(connectTo(file).getPort('web'), {
    kind: 'unreachable',
    exitCode: 3,
    message: /^PORT_ALLOCATOR_DATA_DIR: .*Set it to a folder/,
  });
});
