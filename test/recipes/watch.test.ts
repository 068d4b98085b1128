// Tries the recipes in which `pa watch` keeps a file for another program, as they stand in docs/recipes.md.
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { callCli } from '../helpers/cli.js';
import { makeSeededDir } from '../helpers/database.js';
import { type Block, makeProject, readRecipes } from '../helpers/recipes.js';
import { until } from '../helpers/until.js';

const recipes = readRecipes();
const dataDir = await makeSeededDir(t);
t.teardown(() => callCli(['stop'], { variables: { PORT_ALLOCATOR_DATA_DIR: dataDir } }));

/** The files of a recipe, and its command. */
function read(heading: string) {
  const blocks = recipes.get(heading) as Block[];
  const files = blocks.filter(({ name }) => name !== '').map(({ name, text }) => [name, text] as const);
  return { files: Object.fromEntries(files), command: blocks.find(({ name }) => name === '')?.text as string };
}

/** Answers with its port. */
const server = `require('node:http').createServer((request, response) => response.end(process.env.PORT))
  .listen(process.env.PORT);`;

t.test('Prometheus gets new targets from the file', async (t) => {
  const { files, command } = read('Prometheus, from a file');
  const { run, serve } = await makeProject(t, dataDir, files);
  const [web, prometheus] = (await run('pa port web; pa port prometheus')).trim().split('\n').map(Number);
  const watch = serve(command);
  const address = '--web.listen-address=127.0.0.1:{port}';
  const running = serve(`pa run prometheus -- prometheus --config.file=prometheus.yml ${address}`);
  await running.answerOn(prometheus as number);
  // While it starts, it answers 503 to everything: https://prometheus.io/docs/prometheus/latest/management_api/
  await until(async () => (await fetch(`http://127.0.0.1:${prometheus}/-/ready`)).ok);
  const targets = async (): Promise<string[]> => {
    const answer = await fetch(`http://127.0.0.1:${prometheus}/api/v1/targets?state=active`);
    const { data } = (await answer.json()) as { data: { activeTargets: { discoveredLabels: object }[] } };
    return data.activeTargets.map(({ discoveredLabels }) => JSON.stringify(discoveredLabels));
  };
  const has = async (port: number) => (await targets()).some((labels) => labels.includes(`:${port}"`));
  await until(() => has(web as number));
  const api = Number(await run('pa port api'));
  await until(() => has(api));
  await run('pa release api --yes');
  await until(async () => !(await has(api)));
  t.ok(await has(web as number), 'the others are left');
  await running.end();
  await watch.end();
});

t.test('nginx leads to the port that the service has', async (t) => {
  const { files, command } = read('nginx');
  const { run, serve } = await makeProject(t, dataDir, { ...files, 'server.js': server });
  const proxy = Number(await run('pa port proxy'));
  await run(`sed -i 's/8000/${proxy}/' nginx.conf`);
  const first = Number(await run('pa port web'));
  let web = serve('pa run web -- node server.js');
  t.equal(await web.answerOn(first), String(first));
  const watch = serve(command);
  t.teardown(() => run('nginx -p "$PWD" -c nginx.conf -s quit').catch(() => {}));
  t.equal(await watch.answerOn(proxy), String(first));

  await web.end();
  await run('pa release web --yes');
  const second = Number(await run('pa allocate web --port $(($(pa port other) + 10))'));
  t.not(second, first);
  web = serve('pa run web -- node server.js');
  await web.answerOn(second);
  const answer = () => fetch(`http://127.0.0.1:${proxy}/`).then((response) => response.text());
  await until(async () => (await answer()) === String(second));
  await web.end();
  await watch.end();
  await sleep(100);
  t.match((await fetch(`http://127.0.0.1:${proxy}/`)).status, 502, 'nginx goes on without the watch');

  // As after a restart of the machine: nginx does not run, its PID file is there, and ports.env is the same.
  await run('kill -9 -$(ps -o pgid= $(cat nginx.pid) | tr -d " ")');
  // A process that was killed can be sent signals until it was waited for.
  await until(() =>
    run('! kill -0 $(cat nginx.pid) 2> /dev/null').then(
      () => true,
      () => false,
    ),
  );
  const again = serve(command);
  await again.answerOn(proxy);
  await again.end();
});
