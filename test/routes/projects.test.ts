import { sql } from 'kysely';
import t from 'tap';
import { makeApp, requester } from '../helpers/app.js';
import { openPostgres } from '../helpers/database.js';
import { assertInvalid, assertProblem } from '../helpers/problems.js';
import { insertReservation } from '../helpers/rows.js';

t.test('projects and their summaries', async (t) => {
  const { db } = await openPostgres(t);
  const request = requester(await makeApp(t, { db }));
  const put = async (path: string, body?: object) => (await request('PUT', `/v1/projects/${path}`, body)).body;
  const summary = async (path: string) => (await request('GET', `/v1/projects/${path}`)).body;

  t.test('the summary of an untouched project is all zeros', async (t) => {
    const { ranges, ...rest } = await summary('odin/summary');
    t.strictSame(rest, {
      project: 'odin',
      host: 'localhost',
      protocol: 'tcp',
      rangeStart: 3300,
      rangeEnd: 3399,
      totalPorts: 100,
      allocatedPorts: 0,
      inUsePorts: 0,
      reservedPorts: 0,
      coolingPorts: 0,
      excludedPorts: 0,
      availablePorts: 100,
      utilization: 0,
      hostnames: [],
    });
    t.strictSame(ranges, [(await request('GET', '/v1/ranges/3300')).body]);
  });

  t.test('it counts every kind of port once, over all ranges of the project', async (t) => {
    await request('POST', '/v1/ranges', { project: 'consilio', startPort: 5000 });
    await request('POST', '/v1/ranges', { project: 'consilio', startPort: 6000, kind: 'shared' });
    const ids = [];
    for (let i = 0; i < 5; i++) ids.push((await put(`consilio/services/s${i}`)).id);
    await request('POST', '/v1/projects/consilio/allocations', { service: 'far', port: 6500 });
    await sql`update port_allocations set status = 'in_use' where id in (${ids[0]}, ${ids[1]})`.execute(db);
    await insertReservation(db, { port: 3150, project: 'consilio', seconds: 3600 });
    await insertReservation(db, { port: 5050, project: 'consilio', seconds: 3600 });
    await insertReservation(db, { port: 5051, project: 'consilio', seconds: -1 });
    await request('PATCH', '/v1/ranges/3100', { reuseCooldownSeconds: 3600 });
    await request('DELETE', `/v1/allocations/${ids[4]}`);
    const { ranges, hostnames, ...rest } = await summary('consilio/summary');
    t.strictSame(rest, {
      project: 'consilio',
      host: 'localhost',
      protocol: 'tcp',
      rangeStart: 3100,
      rangeEnd: 3199,
      totalPorts: 1200,
      allocatedPorts: 5,
      inUsePorts: 2,
      reservedPorts: 2,
      coolingPorts: 1,
      excludedPorts: 11,
      availablePorts: 1181,
      utilization: 0.42,
    });
    t.strictSame(hostnames, []);
    t.strictSame(
      ranges.map((r: Record<string, number>) => [r.startPort, r.allocatedPorts, r.reservedPorts, r.utilization]),
      [
        [3100, 4, 1, 4],
        [5000, 0, 1, 0],
        [6000, 1, 0, 0.1],
      ],
    );
  });

  t.test('counts never mix hosts or protocols, and never pass 100 %', async (t) => {
    for (const space of ['', '&host=db1', '&host=db2', '&protocol=udp']) {
      const path = (i: number) => `health-agent/services/s${i}?environment=default${space}`;
      await Promise.all(Array.from({ length: 40 }, (_, i) => put(path(i))));
    }
    for (const space of ['', '?host=db1', '?host=db2', '?protocol=udp', '?host=DB1.&protocol=tcp']) {
      const counted = { allocatedPorts: 40, availablePorts: 60, utilization: 40 };
      t.match(await summary(`health-agent/summary${space}`), counted);
      t.match((await request('GET', `/v1/ranges/3400${space}`)).body, counted);
    }
    t.match(await summary('health-agent/summary?host=db3'), { host: 'db3', allocatedPorts: 0, availablePorts: 100 });
    t.match(await summary('health-agent/summary?host=db1&protocol=udp'), { allocatedPorts: 0, utilization: 0 });
  });

  t.test('hostnames are those of active allocations of this port space, by port', async (t) => {
    const name = (cloudflareHostname: string) => ({ cloudflareHostname });
    await put('openhorizon/services/web', name('web.example.com'));
    await put('openhorizon/services/api', name('*.api.example.com'));
    await put('openhorizon/services/plain');
    await put('openhorizon/services/far?host=db1', name('far.example.com'));
    const { id } = await put('openhorizon/services/gone', name('gone.example.com'));
    await request('DELETE', `/v1/allocations/${id}`);
    t.strictSame((await summary('openhorizon/summary')).hostnames, [
      { port: 3200, service: 'web', cloudflareHostname: 'web.example.com' },
      { port: 3201, service: 'api', cloudflareHostname: '*.api.example.com' },
    ]);
    t.strictSame((await summary('openhorizon/summary?host=db1')).hostnames, [
      { port: 3200, service: 'far', cloudflareHostname: 'far.example.com' },
    ]);
  });

  t.test('utilization has two decimals', async (t) => {
    await request('POST', '/v1/ranges', { project: 'shared-services', startPort: 20000, kind: 'shared' });
    await request('POST', '/v1/ranges', { project: 'shared-services', startPort: 21000, kind: 'shared' });
    await put('shared-services/services/one');
    t.equal((await summary('shared-services/summary')).utilization, 0.03);
    await put('shared-services/services/two');
    t.equal((await summary('shared-services/summary')).utilization, 0.07);
  });

  t.test('projects are listed by name, each with its summary', async (t) => {
    await request('POST', '/v1/ranges', { project: 'a.b', startPort: 30000 });
    await request('POST', '/v1/ranges', { project: 'a-b', startPort: 30100 });
    await request('POST', '/v1/ranges', { project: 'a0', startPort: 30200 });
    const { body } = await request('GET', '/v1/projects');
    const names = body.items.map((item: { project: string }) => item.project);
    t.strictSame(names, [...names].sort(), 'by code point, whatever the collation of the database');
    t.strictSame(names, [
      'a-b',
      'a.b',
      'a0',
      'consilio',
      'health-agent',
      'meta-supervisor',
      'odin',
      'openhorizon',
      'quiculum-monitor',
      'shared-services',
    ]);
    for (const item of body.items) t.strictSame(item, await summary(`${item.project}/summary`));
  });

  t.test('the list of projects is paged, and counts the port space that is asked for', async (t) => {
    const all = (await request('GET', '/v1/projects?host=db1')).body.items;
    t.equal(all.find((item: { project: string }) => item.project === 'health-agent').allocatedPorts, 40);
    const seen = [];
    for (let url = '/v1/projects?host=db1&limit=3'; url !== ''; ) {
      const { body, headers } = await request('GET', url);
      seen.push(...body.items);
      url = /^<(.+)>; rel="next"$/.exec(String(headers.link))?.[1] ?? '';
    }
    t.strictSame(seen, all);
  });

  t.test('an unknown project and an invalid name are refused', async (t) => {
    assertProblem(t, await request('GET', '/v1/projects/nobody/summary'), 'project-not-found');
    assertInvalid(t, await request('GET', '/v1/projects/No%20body/summary'), '/path/project');
    assertInvalid(t, await request('GET', '/v1/projects/odin/summary?environment=x'), '/query/environment');
    assertInvalid(
      t,
      await request('GET', `/v1/projects?cursor=${Buffer.from('["é"]').toString('base64url')}`),
      '/query/cursor',
    );
  });
});
