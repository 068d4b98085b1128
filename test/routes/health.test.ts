import { pino } from 'pino';
import t from 'tap';
import { buildApp } from '../../src/app.js';
import { loadConfig } from '../../src/config.js';
import { connectDatabase } from '../../src/database/connect.js';
import { Metrics } from '../../src/metrics.js';
import { Readiness } from '../../src/readiness.js';
import { createService } from '../../src/service.js';
import { requester } from '../helpers/app.js';
import { openPostgres, silentLog } from '../helpers/database.js';
import { assertProblem } from '../helpers/problems.js';

t.test('health endpoints', async (t) => {
  const { db } = await openPostgres(t);
  const config = loadConfig({});
  const log = pino({ level: 'silent' });

  t.test('a replica is ready from its start until it stops, and alive all the time', async (t) => {
    const readiness = new Readiness();
    const app = await buildApp(createService({ database: { db }, readiness, config, log }), new Metrics());
    t.teardown(() => app.close());
    const request = requester(app);
    const ready = async () => {
      t.strictSame((await request('GET', '/livez')).body, { status: 'alive' });
      const { status, body } = await request('GET', '/readyz');
      return [status, body];
    };
    t.strictSame(await ready(), [503, { status: 'not-ready', database: 'available', reason: 'starting' }]);
    readiness.started();
    t.strictSame(await ready(), [200, { status: 'ready', database: 'available' }]);
    readiness.stopping();
    t.strictSame(await ready(), [503, { status: 'not-ready', database: 'available', reason: 'shutting down' }]);
  });

  t.test('without its database a replica stays ready, says so, and refuses work with Retry-After', async (t) => {
    const away = await connectDatabase(loadConfig({ DATABASE_URL: 'postgres://nobody@127.0.0.1:1/none' }), silentLog);
    const readiness = new Readiness();
    readiness.started();
    const app = await buildApp(createService({ database: away, readiness, config, log }), new Metrics());
    t.teardown(async () => {
      await app.close();
      await away.close();
    });
    const request = requester(app);
    const { status, body } = await request('GET', '/readyz');
    t.strictSame([status, body], [200, { status: 'ready', database: 'unavailable' }]);
    t.equal((await request('GET', '/livez')).status, 200);
    for (const [method, url] of [
      ['PUT', '/v1/projects/consilio/services/api'],
      ['GET', '/v1/allocations'],
      ['GET', '/v1/ports/3100'],
      ['POST', '/v1/ranges'],
    ] as const) {
      const answer = await request(method, url, method === 'POST' ? { project: 'x' } : undefined);
      assertProblem(t, answer, 'database-unavailable');
      t.equal(answer.headers['retry-after'], '1');
      t.notMatch(answer.text, /ECONNREFUSED|127\.0\.0\.1:1\b|nobody/, 'nothing of the database leaks');
    }
    const twice = { services: [{ service: 'web' }, { service: 'web' }] };
    const environment = '/v1/projects/consilio/environments/default';
    const checks = '/v1/allocations/0b4e1d1e-6d3c-4a8f-9d55-0f7f6a3f2c11/health-checks?cursor=x';
    t.equal((await request('PUT', environment, twice)).status, 400, 'bad input needs no database to be refused');
    t.equal((await request('GET', checks)).status, 400);
  });
});
