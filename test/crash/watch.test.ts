// Readers of the change feed go on where they were, whatever happens to the service: `pa watch`, and the loop of docs/events.md.
import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { readHolder } from '../../src/embedded/holder.js';
import { stopService } from '../../src/operator/stop.js';
import { packageRoot } from '../../src/package-root.js';
import { makeDataDir, makeSeededDir } from '../helpers/database.js';
import { callOverSocket, findSocket, startInBackground } from '../helpers/local.js';
import { type Service, startService } from '../helpers/service.js';
import { until } from '../helpers/until.js';
import { startWatch } from '../helpers/watching.js';

const KILLS = 3;
const IDLE_SECONDS = 2;

t.setTimeout(300_000);

t.test(`${KILLS} times kill -9 of the service: pa watch and the loop in sh get each event once`, async (t) => {
  const dataDir = await makeSeededDir(t);
  let service = await startService(t, { DATA_DIR: dataDir }).ready();
  const url = await service.url;
  const { call } = service; // goes on after a restart, because the port stays
  const last = (await listIds(call)).at(-1);
  const watch = await startWatch(t, ['--all', '--json'], { PORT_ALLOCATOR_URL: url });
  const loop = await startLoop(t, url);

  const state = { isWriting: true };
  const writers = Array.from({ length: 8 }, (_, i) => write(call, i, state));
  const readMore = async () => {
    const before = [watch.events().length, loop().length] as const;
    await until(() => watch.events().length > before[0] + 50 && loop().length > before[1] + 50);
  };
  for (let i = 0; i < KILLS; i++) {
    await readMore();
    await service.kill('SIGKILL');
    service = await startService(t, { DATA_DIR: dataDir, PORT: new URL(url).port }).ready();
  }
  await readMore();
  state.isWriting = false;
  await Promise.all(writers);

  const ids = (await listIds(call)).filter((id) => Number(id) > Number(last));
  await until(() => watch.events().at(-1)?.id === ids.at(-1) && loop().at(-1) === ids.at(-1));
  t.strictSame(
    watch.events().map(({ id }) => id),
    ids,
    'pa watch',
  );
  t.strictSame(loop(), ids, 'the loop');
  t.equal(watch.stderr().match(/The connection to the service is lost/g)?.length, KILLS, watch.stderr());
  t.equal(watch.stderr().match(/Connected again\./g)?.length, KILLS, watch.stderr());
});

t.test('an open pa watch keeps the background service, goes over to one in the foreground, and back', async (t) => {
  const dataDir = await makeSeededDir(t);
  const call = callOverSocket(dataDir);
  const background = startInBackground(t, dataDir, '--idle-seconds', String(IDLE_SECONDS));
  await findSocket(dataDir);
  const watch = await startWatch(t, ['--all', '--json'], { PORT_ALLOCATOR_DATA_DIR: dataDir });
  const allocate = async (service: string) => {
    t.equal((await call('PUT', `/v1/projects/consilio/services/${service}`)).status, 201);
    await until(() => watch.events().at(-1)?.data.allocation?.service === service);
  };
  await sleep(2.5 * IDLE_SECONDS * 1000);
  t.equal((await readHolder(dataDir))?.pid, background.child.pid, 'it is still there');
  await allocate('first');

  const foreground = await startService(t, { DATA_DIR: dataDir }).ready();
  t.equal(await background.exited, 0, 'the one in the background has made room');
  await until(() => watch.stderr().includes('Connected again.'));
  await allocate('second');

  await foreground.kill('SIGTERM');
  await until(() => watch.stderr().match(/Connected again\./g)?.length === 2);
  t.match(await readHolder(dataDir), { mode: 'background' }, 'watch has started one');
  await allocate('third');
  const ids = (await listIds(call)).slice(-3);
  t.strictSame(
    watch.events().map(({ id }) => id),
    ids,
  );
  watch.child.kill('SIGTERM');
  await watch.ended;
  await stopService(dataDir);
});

t.test('when pa watch has ended, the background service ends by itself', async (t) => {
  const dataDir = await makeSeededDir(t);
  const background = startInBackground(t, dataDir, '--idle-seconds', String(IDLE_SECONDS));
  await findSocket(dataDir);
  const watch = await startWatch(t, ['--all'], { PORT_ALLOCATOR_DATA_DIR: dataDir });
  watch.child.kill('SIGKILL');
  t.equal(await background.exited, 0);
});

/** Runs the loop of docs/events.md in `sh`. @returns the ids that it has printed */
async function startLoop(t: Test, url: string): Promise<() => string[]> {
  const document = await readFile(join(packageRoot, 'docs/events.md'), 'utf8');
  const blocks = [...document.matchAll(/^```sh\n(.*?)^```$/gms)].map(([, text = '']) => text);
  const [loop = ''] = blocks.filter((text) => text.includes('while :'));
  const child = spawn('sh', ['-c', loop.replace('http://127.0.0.1:8080', url)], {
    cwd: await makeDataDir(t),
    detached: true,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  let output = '';
  child.stdout.on('data', (data) => (output += data));
  const ended = new Promise((resolve) => child.once('close', resolve));
  t.teardown(() => {
    process.kill(-(child.pid as number), 'SIGKILL');
    return ended;
  });
  await sleep(1000);
  return () => [...output.matchAll(/^\{"specversion":"1\.0","id":"(\d+)".*\}\n/gm)].map(([, id = '']) => id);
}

async function write(call: Service['call'], i: number, state: { isWriting: boolean }): Promise<void> {
  while (state.isWriting) {
    for (const method of ['PUT', 'DELETE']) {
      const path = `/v1/projects/consilio/services/writer-${i}`;
      await call(method, path, undefined, { timeoutMs: 10_000 }).catch(() => sleep(50)); // the service is away
      await sleep(20);
    }
  }
}

async function listIds(call: Service['call']): Promise<string[]> {
  const ids: string[] = [];
  for (let cursor: string | null = '0'; cursor !== null; ) {
    const { body }: { body: { items: { id: string }[]; nextCursor: string | null } } = await call(
      'GET',
      `/v1/events?limit=1000&cursor=${cursor}`,
    );
    ids.push(...body.items.map(({ id }) => id));
    cursor = body.nextCursor;
  }
  return ids;
}
