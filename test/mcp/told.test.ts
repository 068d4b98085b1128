// What an agent is told beside the port that it asked for, so that it does not take something else for it.
import t, { type Test } from 'tap';
import { makeApp } from '../helpers/app.js';
import { openPostgres } from '../helpers/database.js';
import { asking, clients, closeAtEnd, listenMcp } from '../helpers/mcp.js';

async function open(t: Test) {
  const [{ overHttp }] = clients as [(typeof clients)[number]];
  return asking(await closeAtEnd(t, overHttp(await listenMcp(await makeApp(t, await openPostgres(t))))));
}

t.test('a reservation that was used is no port for another service or environment', async (t) => {
  const { ask, tell } = await open(t);
  const { id } = await ask('reserve-port', {
    project: 'odin',
    port: 3350,
    ttlSeconds: 600,
    service: 'demo',
    reason: 'Fair',
  });
  t.match(await tell('describe-port', { port: 3350 }), /\nReserved for demo of odin \("Fair"\) until .* id /);
  t.match(await tell('port-summary', { project: 'odin' }), / 0 are held .* 1 are reserved, 99 are available/);
  const use = { project: 'odin', service: 'demo', reservationId: id };
  t.equal((await ask('allocate-port', use)).port, 3350);
  t.equal((await ask('allocate-port', use)).port, 3350, 'the same again');
  for (const other of [{ service: 'web' }, { environment: 'feature/x' }]) {
    t.match(
      await tell('allocate-port', { ...use, ...other }),
      /^validation-failed: \/reservationId was used before, by demo of odin \(environment default\)/,
    );
  }
  t.match(
    await tell('claim-reservation', { id, service: 'web' }),
    /^validation-failed: \/id was used before, by demo of odin/,
  );
  t.match(await ask('claim-reservation', { id }), { port: 3350 });
});

t.test('a port that was preferred and could not be had is named', async (t) => {
  const { tell } = await open(t);
  const web = { project: 'odin', service: 'web', prefer: 3310 };
  t.notMatch(await tell('allocate-port', web), /could not be had/);
  t.match(await tell('allocate-port', web), /: 3300\n3310 could not be had/);
});

t.test('who releases an environment that holds nothing is told what was most likely meant', async (t) => {
  const { ask, tell } = await open(t);
  const release = (environment: string) => tell('release-environment', { project: 'odin', environment });
  t.equal(await release('feature/cart'), await release('feature/cart'));
  t.notMatch(await release('feature/cart'), /Ports are held/);
  await ask('get-port', { project: 'odin', service: 'web' });
  t.notMatch(await release('feature/cart'), /default/);
  await ask('get-port', { project: 'odin', service: 'web', environment: 'shop-cart' });
  t.match(await release('feature/cart'), / of odin\. Ports are held for shop-cart\.$/);
  t.match(await release('shop-carrt'), / of odin\. Close to it: shop-cart\.$/);
});

t.test('services whose names make no variables are told why there are no lines for a .env file', async (t) => {
  const { ask, tell } = await open(t);
  const stack = { project: 'odin', services: ['a-b', 'a_b', '9lives'] };
  t.match(
    await tell('get-environment-ports', stack),
    /a-b: 3300\na_b: 3301\n9lives: 3302\nNo lines for a \.env file: A_B_PORT would be that of a-b and a_b, 9LIVES_PORT /,
  );
  t.notOk('dotenv' in (await ask('get-environment-ports', stack)));
  t.match(await ask('get-environment-ports', { ...stack, services: ['web', 'api'] }), {
    dotenv: 'WEB_PORT=3303\nAPI_PORT=3304',
  });
});

t.test('of an excluded port, describe-port tells why it is', async (t) => {
  const { ask, tell } = await open(t);
  t.match(
    await tell('describe-port', { port: 6000 }),
    /^6000: in no range of the registry\.\nWhy it is excluded: "Browsers and fetch\(\) refuse it .*"\.$/,
  );
  t.strictSame(Object.keys((await ask('describe-port', { port: 6000 })).excluded), ['reason']);
  t.equal((await ask('describe-port', { port: 3300 })).excluded, undefined);
});

t.test('of a port that nobody holds, describe-port tells who had it last', async (t) => {
  const { ask, tell } = await open(t);
  t.equal((await ask('describe-port', { port: 3300 })).lastHolder, undefined);
  await ask('get-port', { project: 'odin', service: 'web' });
  t.notMatch(await tell('describe-port', { port: 3300 }), /Last held/);
  await ask('release-port', { project: 'odin', service: 'web' });
  t.match(
    await tell('describe-port', { port: 3300 }),
    /\nLast held by web of odin \(environment default\) until \d{4}-.*Z, released by .+\.\nRange: /,
  );
  t.match((await ask('describe-port', { port: 3300 })).lastHolder, {
    service: 'web',
    project: 'odin',
    environment: 'default',
    releasedAt: /Z$/,
    releasedBy: /\w/,
  });
});
