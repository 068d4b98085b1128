// What `pa watch` does after changes: the file that it keeps, and the commands that it runs.
import { mkdir, readFile, rm, rmdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { makeDataDir } from '../../helpers/database.js';
import { until } from '../../helpers/until.js';
import { serveShop, startWatch } from '../../helpers/watching.js';

const { request, variables } = await serveShop(t);
await request('PUT', '/v1/projects/shop');
const hold = (service: string, body = {}) => request('PUT', `/v1/projects/shop/services/${service}`, body);
const text = (file: string) => readFile(file, 'utf8').catch(() => '');
const linesOf = async (file: string) => (await text(file)).split('\n').filter(Boolean);

async function makeFiles(t: Test) {
  const folder = await makeDataDir(t);
  return { folder, file: join(folder, 'ports.env'), log: join(folder, 'log') };
}
const isAlive = (pid: number) => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};
const dotenv = (file: string) => ['--project', 'shop', '--format', 'dotenv', '--write', file];

t.test('the file is written only if the content changes', async (t) => {
  const { folder, file, log } = await makeFiles(t);
  const watch = await startWatch(t, [...dotenv(file), '--exec', `echo run >> ${log}`], variables, folder);
  await hold('web');
  await until(async () => /WEB_PORT=\d+\n/.test(await text(file)) && (await linesOf(log)).length > 0);
  await sleep(500);
  const before = await stat(file);
  const runs = (await linesOf(log)).length;
  await hold('web', { description: 'is in no dotenv file' });
  await sleep(800);
  const after = await stat(file);
  t.same([after.mtimeMs, after.ino], [before.mtimeMs, before.ino], 'not touched');
  t.equal((await linesOf(log)).length, runs, 'and nothing was run');

  await writeFile(file, 'OTHER=1\n');
  watch.child.kill('SIGTERM');
  await watch.ended;
  await startWatch(t, dotenv(file), variables, folder);
  await until(async () => /^WEB_PORT=\d+\n$/.test(await text(file)));
});

t.test(
  'the command runs once at the beginning, also where the file is up to date, and after an ended run',
  async (t) => {
    const { folder, file, log } = await makeFiles(t);
    await hold('web');
    const start = (command: string) => startWatch(t, [...dotenv(file), '--exec', command], variables, folder);
    const ended = await start(`echo begin >> ${log}; sleep 60; echo end >> ${log}`);
    await until(async () => (await linesOf(log)).length === 1);
    ended.child.kill('SIGTERM');
    await ended.ended;
    const { mtimeMs } = await stat(file);

    const again = await start(`echo again >> ${log}`);
    await until(async () => (await linesOf(log)).length === 2);
    await hold('web', { description: 'another one, in no dotenv file' });
    await sleep(800);
    t.same(await linesOf(log), ['begin', 'again'], 'once');
    t.equal((await stat(file)).mtimeMs, mtimeMs);
    t.notMatch(again.stderr(), /Wrote /);
  },
);

t.test('a run that fails is made again with the next change, whatever the file, or after a pause', async (t) => {
  const { folder, file, log } = await makeFiles(t);
  await hold('web');
  const exec = `echo $(date +%s%3N) >> ${log}; test $(wc -l < ${log}) -ge 4`;
  const watch = await startWatch(t, [...dotenv(file), '--exec', exec], variables, folder);
  await until(async () => (await linesOf(log)).length === 1);
  await hold('web', { description: 'a change that is in no dotenv file' });
  await until(async () => (await linesOf(log)).length === 4);
  const [first = 0, second = 0, third = 0, fourth = 0] = (await linesOf(log)).map(Number);
  t.ok(second - first < 1800, `the change: ${second - first} ms`);
  t.ok(third - second >= 1900 && fourth - third >= 1.5 * (third - second), 'longer and longer pauses');
  await hold('web', { description: 'another one' });
  await sleep(800);
  t.equal((await linesOf(log)).length, 4, 'not again after one that went well');
  t.equal(watch.stderr().match(/The command ended with 1: /g)?.length, 3, watch.stderr());
});

t.test('of two that keep the same file, each runs its command, whoever has written', async (t) => {
  const { folder, file, log } = await makeFiles(t);
  const start = (name: string) =>
    startWatch(t, [...dotenv(file), '--exec', `echo ${name} >> ${log}`], variables, folder);
  await Promise.all([start('one'), start('two')]);
  for (let runs = 1; runs <= 3; runs++) {
    await until(async () => (await linesOf(log)).length >= 2 * runs);
    await sleep(500);
    t.same((await linesOf(log)).slice(-2).sort(), ['one', 'two']);
    if (runs < 3) await hold(`further-${runs}`);
  }
  for (const i of [1, 2]) await request('DELETE', `/v1/projects/shop/services/further-${i}`);
});

t.test('a burst of changes gives few runs, never two at a time, and the last content', async (t) => {
  const { folder, file, log } = await makeFiles(t);
  const exec = `echo begin >> ${log}; sleep 0.4; echo end >> ${log}`;
  await startWatch(t, [...dotenv(file), '--exec', exec], variables, folder);
  await until(async () => (await linesOf(log)).length === 2);
  await Promise.all(Array.from({ length: 98 }, (_, i) => hold(`burst-${i}`)));
  await until(async () => (await linesOf(file)).length === 99);
  await sleep(1200);
  const lines = await linesOf(log);
  t.ok(lines.length / 2 >= 2 && lines.length / 2 <= 5, `${lines.length / 2} runs`);
  t.same(
    lines,
    lines.map((_, i) => (i % 2 === 0 ? 'begin' : 'end')),
  );
  await request('DELETE', '/v1/projects/shop/environments/default');
});

t.test('an export that fails keeps the old file and is told; at the beginning it ends the watch', async (t) => {
  const { folder, file } = await makeFiles(t);
  await hold('web');
  const watch = await startWatch(t, dotenv(file), variables, folder);
  await until(async () => (await text(file)) !== '');
  const before = await text(file);
  await request('PUT', '/v1/projects/shop/services/web?environment=staging');
  await until(() => watch.stderr().includes(`${file} is out of date: `));
  t.equal(await text(file), before);
  const second = await startWatch(t, dotenv(file), variables, folder);
  t.match(await second.ended, { code: 1 });
  await request('DELETE', '/v1/projects/shop/environments/staging');

  await rm(file);
  await mkdir(file);
  await hold('api');
  await until(() => watch.stderr().includes(`${file} is a folder.`));
  await rmdir(file);
  await until(async () => /^API_PORT=/m.test(await text(file))); // without a further change
});

t.test('a command with placeholders runs once for each event, in order, with the event', async (t) => {
  const { folder, log } = await makeFiles(t);
  const exec = `echo "{type} {project}/{service} {environment} {port} $(echo "$PORT_ALLOCATOR_EVENT" | cut -c 1-9)" >> ${log}`;
  const watch = await startWatch(t, ['--all', '--on', 'allocation,range', '--exec', exec], variables, folder);
  const ports: number[] = [];
  for (const service of ['one', 'two', 'three']) ports.push((await hold(service)).body.port);
  await request('POST', '/v1/ranges', { project: 'atlas' });
  await until(() => watch.stderr().includes('Nothing was run for range.created'));
  const expected = ['one', 'two', 'three'].map((service, i) =>
    `allocation.created shop/${service} default ${ports[i]} {"specver`.replace(/"specver$/, 'specver'),
  );
  t.match(
    (await linesOf(log)).map((line) => line.replaceAll('"', '')),
    expected,
  );
});

t.test('a command that fails is told and does not end the watch; SIGTERM ends one that runs', async (t) => {
  const { folder, log } = await makeFiles(t);
  const exec = `echo {service} >> ${log}; test {service} = bad && exit 7; sh -c 'echo $$ >> ${log}; sleep 60; true'; true`;
  const watch = await startWatch(t, ['--all', '--on', 'allocation.created', '--exec', exec], variables, folder);
  await hold('bad');
  await until(() => watch.stderr().includes('The command ended with 7: '));
  await hold('good');
  await until(async () => (await linesOf(log)).length === 3);
  const pid = Number((await linesOf(log))[2]);
  t.ok(process.kill(pid, 0), 'runs');
  watch.child.kill('SIGTERM');
  t.match(await watch.ended, { signal: 'SIGTERM' });
  await until(() => !isAlive(pid));
});

t.test(
  'a second signal, also another one, ends a command that ignores the first, and the watch, at once',
  async (t) => {
    const { folder, file, log } = await makeFiles(t);
    const exec = `trap '' TERM; echo $$ >> ${log}; while :; do sleep 0.1; done`;
    const watch = await startWatch(t, [...dotenv(file), '--exec', exec], variables, folder);
    await until(async () => (await linesOf(log)).length === 1);
    const pid = Number((await linesOf(log))[0]);
    watch.child.kill('SIGINT');
    watch.child.kill('SIGINT'); // as npm does on Ctrl-C
    await sleep(500);
    t.equal(watch.child.exitCode ?? watch.child.signalCode, null, 'waits for the command');
    const at = performance.now();
    watch.child.kill('SIGTERM');
    t.match(await watch.ended, { signal: 'SIGTERM' });
    t.ok(performance.now() - at < 2000, `${performance.now() - at} ms`);
    await until(() => !isAlive(pid));
  },
);
