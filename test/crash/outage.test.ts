// The database becomes unavailable: calls are refused in time, and nothing that was acknowledged is lost.
import { connect, createServer, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { findFreePort, startPostgres } from '../../scripts/postgres.js';
import { createDatabase } from '../helpers/database.js';
import { Load } from '../helpers/load.js';
import { type Service, startService } from '../helpers/service.js';

const REQUEST_TIMEOUT_MS = 3000;
/** Allowed in addition to the time that the service promises, because the machine may be busy. */
const MARGIN_MS = 10_000;

async function untilServed(service: Service): Promise<void> {
  const deadline = Date.now() + 60_000;
  while ((await service.call('PUT', '/v1/projects/consilio/services/api')).status >= 500) {
    if (Date.now() > deadline) throw new Error(`the service did not recover: ${service.output()}`);
    await sleep(100);
  }
}

t.test('a crash of PostgreSQL under load', async (t) => {
  const server = await startPostgres();
  t.teardown(() => server.stop());
  const variables = { DATABASE_URL: server.url, SEED_ON_START: 'true', REQUEST_TIMEOUT_MS: `${REQUEST_TIMEOUT_MS}` };
  const service = await startService(t, variables).ready();
  const timeoutMs = REQUEST_TIMEOUT_MS + MARGIN_MS;
  const load = new Load(() => service, { project: 'shared-services', callers: 8, timeoutMs });
  await sleep(1500);
  await server.kill();
  const away = await service.call('PUT', '/v1/projects/odin/services/new', undefined, { timeoutMs });
  t.equal(away.status, 503);
  t.equal(away.body.code, 'database-unavailable');
  t.match(away.headers.get('retry-after'), /^\d+$/);
  const ready = await service.call('GET', '/readyz');
  t.equal(ready.status, 200, 'the service stays ready: clients get its 503 and not the proxy’s');
  t.same(ready.body, { status: 'ready', database: 'unavailable' });
  await sleep(500);
  await server.restart();
  await untilServed(service);
  await sleep(500);
  await load.stop();
  t.comment(Object.fromEntries(load.outcomes), `slowest ${load.slowestMs} ms`);
  t.same(await load.findBrokenPromises(service), []);
  t.ok(load.count('201') > 0);
  t.ok(load.count('database-unavailable') > 0);
  const expected = ['201', '200', 'database-unavailable', 'overloaded', 'range-exhausted'];
  t.same(
    [...load.outcomes.keys()].filter((outcome) => !expected.includes(outcome)),
    [],
    'none hung, none broke',
  );
  t.same((await service.call('GET', '/readyz')).body, { status: 'ready', database: 'available' });
  t.equal(await service.kill('SIGTERM'), 0);
});

/** A proxy in front of PostgreSQL. It can swallow everything, as a broken network does, or refuse connections. */
async function startProxy(t: Test, target: URL, port: number) {
  const sockets = new Set<Socket>();
  let swallows = false;
  const server = createServer((near) => {
    const far = connect(Number(target.port), target.hostname);
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(from);
      from.on('data', (data) => void (swallows || to.write(data)));
      from.on('error', () => {}).on('close', () => to.destroy());
    }
  });
  const stop = async () => {
    for (const socket of sockets) socket.destroy();
    server.close();
  };
  t.teardown(stop);
  return {
    listen: () => new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve)),
    swallow: (on: boolean) => (swallows = on),
  };
}

t.test('a service that starts before its database answers 503 until it is there, and is ready then', async (t) => {
  const url = new URL(await createDatabase(t));
  const port = await findFreePort();
  const proxy = await startProxy(t, new URL(url), port);
  url.hostname = '127.0.0.1';
  url.port = String(port);
  const variables = { DATABASE_URL: url.href, SEED_ON_START: 'true', REQUEST_TIMEOUT_MS: `${REQUEST_TIMEOUT_MS}` };
  const service = startService(t, variables);
  t.match(await service.call('GET', '/livez'), { status: 200, body: { status: 'alive' } });
  t.match(await service.call('GET', '/readyz'), {
    status: 503,
    body: { status: 'not-ready', database: 'unavailable', reason: 'starting' },
  });
  const refused = await service.call('PUT', '/v1/projects/consilio/services/api');
  t.match(refused, { status: 503, body: { code: 'database-unavailable' } });
  t.match(refused.headers.get('retry-after'), /^\d+$/);

  await proxy.listen();
  await service.ready();
  t.match(await service.call('PUT', '/v1/projects/consilio/services/api'), { status: 201, body: { port: 3100 } });

  t.test('a database that swallows everything keeps no call longer than REQUEST_TIMEOUT_MS', async (t) => {
    proxy.swallow(true);
    const calls = Array.from({ length: 30 }, async (_, i) => {
      const began = Date.now();
      const answer =
        i % 2
          ? await service.call('PUT', `/v1/projects/consilio/services/s${i}`)
          : await service.call('GET', '/v1/allocations');
      return { answer, tookMs: Date.now() - began };
    });
    for (const { answer, tookMs } of await Promise.all(calls)) {
      t.equal(answer.status, 503);
      t.match(answer.body.code, /^(database-unavailable|overloaded)$/);
      t.match(answer.headers.get('retry-after'), /^\d+$/);
      t.ok(tookMs < REQUEST_TIMEOUT_MS + MARGIN_MS, `${tookMs} ms`);
    }
    t.equal((await service.call('GET', '/readyz')).body.database, 'unavailable');
    proxy.swallow(false);
    await untilServed(service);
    t.equal((await service.call('PUT', '/v1/projects/consilio/services/api')).body.port, 3100);
    t.equal(await service.kill('SIGTERM'), 0);
  });
});

t.test('a service whose database never becomes available can be stopped', async (t) => {
  const service = startService(t, { DATABASE_URL: `postgresql://nobody@127.0.0.1:${await findFreePort()}/none` });
  t.equal((await service.call('GET', '/livez')).status, 200);
  t.equal(await service.kill('SIGTERM'), 0);
});
