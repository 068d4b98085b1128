// Tries the recipe that restarts what went down, as it stands in docs/recipes.md.
import { once } from 'node:events';
import { symlink } from 'node:fs/promises';
import { createServer, request } from 'node:http';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Webhook } from 'standardwebhooks';
import t, { type Test } from 'tap';
import { packageRoot } from '../../src/package-root.js';
import { makeSeededDir } from '../helpers/database.js';
import { type Block, makeProject, readRecipes } from '../helpers/recipes.js';
import { startService } from '../helpers/service.js';
import { until } from '../helpers/until.js';

/** Ends when it is asked to. */
const SERVER = `require('node:http').createServer((request, response) => {
  response.end(String(process.pid), () => request.url === '/end' && process.exit(1));
}).listen(process.env.PORT);`;

/** The service, and the receiver with the server that it starts. */
async function startReceiver(t: Test) {
  const dataDir = await makeSeededDir(t);
  const { call } = await startService(t, { DATA_DIR: dataDir }).ready();
  const blocks = readRecipes().get('Restarting what went down') as Block[];
  const text = (name: string) => blocks.find((block) => block.name === name)?.text as string;
  const { folder, run, serve } = await makeProject(t, dataDir, {
    'restart.mjs': text('restart.mjs'),
    'server.js': SERVER,
  });
  await symlink(join(packageRoot, 'node_modules'), join(folder, 'node_modules'));
  const restarter = Number(await run('pa port restarter'));
  const web = Number(await run('pa port web'));

  const webhook = { ...JSON.parse(text('webhook.json')), url: `http://localhost:${restarter}/` };
  const { body, status } = await call('POST', '/v1/webhooks', webhook);
  t.equal(status, 201, JSON.stringify(body));
  const [command] = blocks.filter(({ language }) => language === 'sh');
  const receiver = serve(command?.text.replace('whsec_…', body.secret) as string);
  return {
    restarter,
    secret: body.secret as string,
    answerOnWeb: (path = '') =>
      fetch(`http://localhost:${web}/${path}`).then(
        (response) => response.text(),
        () => null,
      ),
    first: await receiver.answerOn(web),
    end: receiver.end,
    call,
    audit: async () => (await call('POST', '/v1/audits', { project: 'shop' })).body,
    deliveries: async () => (await call('GET', `/v1/webhooks/${body.id}/deliveries`)).body.items,
  };
}

t.test('what a probe finds down is started again by the receiver of a webhook', async (t) => {
  const { first, answerOnWeb, audit, deliveries, end } = await startReceiver(t);
  t.match(await audit(), { inUse: 2 });

  t.equal(await answerOnWeb('end'), first);
  let again: string | null = null;
  for (const deadline = Date.now() + 60_000; again === null && Date.now() < deadline; await sleep(500)) {
    await audit(); // the probe that finds it closed
    again = await answerOnWeb();
  }
  t.match(again, /^\d+$/, 'it answers again');
  t.not(again, first, 'as another process');
  t.match((await deliveries()).at(-1), { type: 'service.down', project: 'shop', status: 'delivered' });
  await end();
});

t.test('the same service of another environment that goes down restarts nothing', async (t) => {
  const { first, answerOnWeb, call, audit, deliveries, end } = await startReceiver(t);
  const { body } = await call('PUT', '/v1/projects/shop/services/web?environment=shop-cart');
  const copy = createServer().listen(body.port, 'localhost');
  await once(copy, 'listening');
  t.match(await audit(), { inUse: 3 });
  await new Promise((resolve) => copy.close(resolve));
  t.match(await audit(), { inUse: 2 });
  await until(async () => (await deliveries()).at(-1)?.status === 'delivered');
  t.equal((await deliveries()).length, 1);
  await sleep(1000);
  t.equal(await answerOnWeb(), first);
  await end();
});

t.test('an event is verified whose characters come in two parts', async (t) => {
  const { first, restarter, secret, answerOnWeb, end } = await startReceiver(t);
  const now = new Date();
  const body = Buffer.from(JSON.stringify({ type: 'service.up', data: { allocation: { description: 'für' } } }));
  const post = request(`http://localhost:${restarter}/`, {
    method: 'POST',
    headers: {
      'webhook-id': 'a',
      'webhook-timestamp': String(Math.floor(now.getTime() / 1000)),
      'webhook-signature': new Webhook(secret).sign('a', now, body),
    },
  });
  const middle = body.indexOf('ü') + 1;
  post.write(body.subarray(0, middle));
  await sleep(300);
  post.end(body.subarray(middle));
  const [response] = await once(post, 'response');
  t.equal(response.statusCode, 204);
  t.equal(await answerOnWeb(), first);
  await end();
});
