import { sql } from 'kysely';
import t from 'tap';
import { makeApp, requester } from '../helpers/app.js';
import { openPostgres } from '../helpers/database.js';
import { assertProblem } from '../helpers/problems.js';

t.test('reuse cooldown', async (t) => {
  const { db } = await openPostgres(t);
  const request = requester(await makeApp(t, { db }));
  const put = async (path: string) => (await request('PUT', `/v1/projects/${path}`)).body;
  const cool = (startPort: number, reuseCooldownSeconds: number) =>
    request('PATCH', `/v1/ranges/${startPort}`, { reuseCooldownSeconds });
  /** Dates releases back, as if that much more time had passed since. */
  const age = (port: number, seconds: number) =>
    sql`
    update port_allocations set released_at = released_at - make_interval(secs => ${seconds})
    where port = ${port} and released_at is not null`.execute(db);

  t.test('a released port is kept from other services until it has cooled down', async (t) => {
    await cool(3100, 3600);
    const held = await put('consilio/services/api');
    const released = (await request('DELETE', `/v1/allocations/${held.id}`)).body;
    t.equal((await put('consilio/services/other')).port, 3101);
    t.equal((await put('consilio/services/api?environment=staging')).port, 3102, 'an environment is another key');

    const problem = assertProblem(
      t,
      await request('POST', '/v1/projects/consilio/allocations', { service: 'other', port: 3100 }),
      'port-taken',
    );
    t.strictSame(problem.holder, {
      kind: 'cooling',
      id: null,
      project: 'consilio',
      service: 'api',
      environment: 'default',
    });
    const until = new Date(Date.parse(released.releasedAt) + 3_600_000).toISOString();
    t.equal(problem.nextPortAvailableAt, until);
    t.match(problem.detail, `cools down until ${until}`);

    await age(3100, 3601);
    t.equal((await put('consilio/services/third')).port, 3100);
  });

  t.test('the service that released a port gets it back at once', async (t) => {
    await cool(3200, 3600);
    for (const service of ['a', 'b', 'c']) await put(`openhorizon/services/${service}`);
    await request('DELETE', '/v1/projects/openhorizon/services/b');
    t.equal((await put('openhorizon/services/b')).port, 3201, 'by get-or-allocate');
    await request('DELETE', '/v1/projects/openhorizon/services/b');
    const again = await request('POST', '/v1/projects/openhorizon/allocations', { service: 'b' });
    t.equal(again.body.port, 3201, 'by allocate');
    await request('DELETE', '/v1/projects/openhorizon/services/b');
    const asked = await request('POST', '/v1/projects/openhorizon/allocations', { service: 'b', port: 3201 });
    t.equal(asked.status, 201, 'by its number');
  });

  t.test('a port cools down only on the host and protocol on which it was released', async (t) => {
    await cool(3300, 3600);
    await put('odin/services/a');
    await request('DELETE', '/v1/projects/odin/services/a');
    t.equal((await put('odin/services/b?host=db1')).port, 3300);
    t.equal((await put('odin/services/b?protocol=udp')).port, 3300);
    t.equal((await put('odin/services/b')).port, 3301);
  });

  t.test('cooling ports are counted once, and are neither allocated nor available', async (t) => {
    await cool(3400, 3600);
    for (let i = 0; i < 3; i++) {
      await put('health-agent/services/a');
      await request('DELETE', '/v1/projects/health-agent/services/a');
    }
    const counted = { allocatedPorts: 0, coolingPorts: 1, reservedPorts: 0, availablePorts: 99, utilization: 0 };
    t.match((await request('GET', '/v1/ranges/3400')).body, counted);
    t.match((await request('GET', '/v1/projects/health-agent/summary')).body, counted);
    t.match((await request('GET', '/v1/ranges/3400?host=db1')).body, { coolingPorts: 0, availablePorts: 100 });
    await put('health-agent/services/a');
    t.match((await request('GET', '/v1/ranges/3400')).body, { allocatedPorts: 1, coolingPorts: 0, availablePorts: 99 });
  });

  t.test('the refusal for an exhausted range says when the next port will have cooled down', async (t) => {
    await cool(3500, 3600);
    const puts = Array.from({ length: 100 }, (_, i) => put(`quiculum-monitor/services/s${i}`));
    const held = (await Promise.all(puts)).sort((a, b) => a.port - b.port);
    const first = (await request('DELETE', `/v1/allocations/${held[40].id}`)).body;
    await request('DELETE', `/v1/allocations/${held[10].id}`);
    const problem = assertProblem(
      t,
      await request('PUT', '/v1/projects/quiculum-monitor/services/late'),
      'range-exhausted',
    );
    const at = new Date(Date.parse(first.releasedAt) + 3_600_000).toISOString();
    t.equal(problem.nextPortAvailableAt, at);
    t.match(problem.detail, `The next one comes free by itself at ${at}.`);
    await age(3540, 3600);
    t.equal((await put('quiculum-monitor/services/late')).port, 3540);
  });

  t.test('REUSE_COOLDOWN_SECONDS is what new ranges get, and old ones keep their own', async (t) => {
    const other = requester(await makeApp(t, { db }, { REUSE_COOLDOWN_SECONDS: '7' }));
    t.equal((await other('POST', '/v1/ranges', { project: 'atlas' })).body.reuseCooldownSeconds, 7);
    t.equal((await other('GET', '/v1/ranges/3000')).body.reuseCooldownSeconds, 0);
  });

  t.test('setting the cooldown to zero frees the ports that were cooling down', async (t) => {
    t.match((await request('GET', '/v1/ports/3300')).body.state, 'cooling');
    await cool(3300, 0);
    t.match((await request('GET', '/v1/ports/3300')).body.state, 'free');
    t.equal((await put('odin/services/c')).port, 3300);
  });
});
