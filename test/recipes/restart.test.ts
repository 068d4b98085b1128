// Tries the recipe that restarts what went down, as it stands in docs/recipes.md.
import { symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { packageRoot } from '../../src/package-root.js';
import { makeSeededDir } from '../helpers/database.js';
import { type Block, makeProject, readRecipes } from '../helpers/recipes.js';
import { startService } from '../helpers/service.js';

/** Ends when it is asked to. */
const SERVER = `require('node:http').createServer((request, response) => {
  response.end(String(process.pid), () => request.url === '/end' && process.exit(1));
}).listen(process.env.PORT);`;

t.test('what a probe finds down is started again by the receiver of a webhook', async (t) => {
  const dataDir = await makeSeededDir(t);
  const service = await startService(t, { DATA_DIR: dataDir }).ready();
  const blocks = readRecipes().get('Restarting what went down') as Block[];
  const text = (name: string) => blocks.find((block) => block.name === name)?.text as string;
  const { folder, run, serve } = await makeProject(t, dataDir, {
    'restart.mjs': text('restart.mjs'),
    'server.js': SERVER,
  });
  await symlink(join(packageRoot, 'node_modules'), join(folder, 'node_modules'));
  const restarter = (await run('pa port restarter')).trim();
  const web = Number(await run('pa port web'));

  const webhook = { ...JSON.parse(text('webhook.json')), url: `http://localhost:${restarter}/` };
  const { body, status } = await service.call('POST', '/v1/webhooks', webhook);
  t.equal(status, 201, JSON.stringify(body));
  const [command] = blocks.filter(({ language }) => language === 'sh');
  const receiver = serve(command?.text.replace('whsec_…', body.secret) as string);
  const first = await receiver.answerOn(web);
  const audit = () => service.call('POST', '/v1/audits', { project: 'shop' });
  t.match((await audit()).body, { inUse: 2 });

  const answer = await fetch(`http://localhost:${web}/end`);
  t.equal(await answer.text(), first);
  let again: string | null = null;
  for (const deadline = Date.now() + 60_000; again === null && Date.now() < deadline; await sleep(500)) {
    await audit(); // the probe that finds it closed
    again = await fetch(`http://localhost:${web}/`).then(
      (response) => response.text(),
      () => null,
    );
  }
  t.match(again, /^\d+$/, 'it answers again');
  t.not(again, first, 'as another process');
  const { body: deliveries } = await service.call('GET', `/v1/webhooks/${body.id}/deliveries`);
  t.match(deliveries.items.at(-1), { type: 'service.down', project: 'shop', status: 'delivered' });
  await receiver.end();
});
