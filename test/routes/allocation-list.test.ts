import { sql } from 'kysely';
import t from 'tap';
import { makeApp, requester } from '../helpers/app.js';
import { openPostgres } from '../helpers/database.js';
import { assertInvalid } from '../helpers/problems.js';

t.test('the list of allocations', async (t) => {
  const { db } = await openPostgres(t);
  const request = requester(await makeApp(t, { db }));
  const put = async (path: string, body?: object) => (await request('PUT', `/v1/projects/${path}`, body)).body;
  const list = async (query: string) => {
    const { status, body } = await request('GET', `/v1/allocations${query}`);
    t.equal(status, 200, query);
    t.equal(body.nextCursor, null);
    return body.items.map((item: { service: string; port: number }) => `${item.service}:${item.port}`);
  };

  const api = await put('consilio/services/api', { cloudflareHostname: 'api.example.com' });
  const gone = await put('consilio/services/gone', { cloudflareHostname: 'gone.example.com' });
  await put('consilio/services/api?environment=staging');
  await put('consilio/services/dns?protocol=udp&host=db1');
  await put('odin/services/api');
  await request('DELETE', `/v1/allocations/${gone.id}`);
  await sql`update port_allocations set status = 'in_use' where id = ${api.id}`.execute(db);

  t.test('it holds the active ones by port, of every host and protocol', async (t) => {
    t.strictSame((await list('')).sort(), ['api:3100', 'api:3102', 'api:3300', 'dns:3100']);
    const { body } = await request('GET', '/v1/allocations');
    const ports = body.items.map((item: { port: number }) => item.port);
    t.strictSame(ports, [3100, 3100, 3102, 3300]);
  });

  t.test('every filter narrows it, alone and together with others', async (t) => {
    for (const [query, expected] of [
      ['?project=consilio&protocol=tcp', ['api:3100', 'api:3102']],
      ['?project=nobody', []],
      ['?service=dns', ['dns:3100']],
      ['?environment=staging', ['api:3102']],
      ['?environment=default&protocol=tcp', ['api:3100', 'api:3300']],
      ['?host=db1', ['dns:3100']],
      ['?host=DB1.', ['dns:3100']],
      ['?host=127.0.0.1', ['api:3100', 'api:3102', 'api:3300']],
      ['?protocol=udp', ['dns:3100']],
      ['?port=3300', ['api:3300']],
      ['?port=3301', []],
      ['?cloudflareHostname=api.example.com', ['api:3100']],
      ['?cloudflareHostname=API.example.com', ['api:3100']],
      ['?cloudflareHostname=gone.example.com', []],
      ['?status=in_use', ['api:3100']],
      ['?status=allocated&protocol=tcp', ['api:3102', 'api:3300']],
      ['?status=released', ['gone:3101']],
      ['?status=any&project=consilio&protocol=tcp', ['api:3100', 'gone:3101', 'api:3102']],
      ['?status=any&port=3101', ['gone:3101']],
      [
        '?project=consilio&service=api&environment=default&host=localhost&protocol=tcp&port=3100&status=in_use',
        ['api:3100'],
      ],
    ] as const) {
      t.strictSame(await list(query), expected, query);
    }
  });

  t.test('pages walk over everything exactly once, by the Link header and by nextCursor', async (t) => {
    for (let i = 0; i < 23; i++) {
      const body = await put(`openhorizon/services/s${i}?host=h${i % 3}`);
      if (i % 4 === 0) await request('DELETE', `/v1/allocations/${body.id}`);
    }
    const query = 'status=any&project=openhorizon';
    const all = (await request('GET', `/v1/allocations?${query}`)).body.items;
    t.equal(all.length, 23);
    for (const limit of [1, 2, 5, 22, 23, 24]) {
      const seen = [];
      let url = `/v1/allocations?${query}&limit=${limit}`;
      for (;;) {
        const { body, headers } = await request('GET', url);
        seen.push(...body.items);
        t.ok(body.items.length <= limit);
        if (body.nextCursor === null) {
          t.equal(headers.link, undefined);
          break;
        }
        const [, next = ''] = /^<(.+)>; rel="next"$/.exec(String(headers.link)) ?? [];
        t.equal(next, `/v1/allocations?${query}&limit=${limit}&cursor=${body.nextCursor}`);
        url = next;
      }
      t.strictSame(seen, all, `limit ${limit}`);
    }
  });

  t.test('a release or an allocation between two pages does not move the other items', async (t) => {
    const first = await request('GET', '/v1/allocations?project=openhorizon&limit=4');
    await request('DELETE', `/v1/allocations/${first.body.items[1].id}`);
    const { body: before } = await request('GET', '/v1/allocations?project=openhorizon&limit=1000');
    const rest = await request('GET', `/v1/allocations?project=openhorizon&cursor=${first.body.nextCursor}`);
    t.strictSame(rest.body.items, before.items.slice(3));
  });

  t.test('invalid limits, cursors and filters are refused', async (t) => {
    for (const [query, pointer] of [
      ['limit=0', '/query/limit'],
      ['limit=1001', '/query/limit'],
      ['limit=-1', '/query/limit'],
      ['limit=1.5', '/query/limit'],
      ['limit=abc', '/query/limit'],
      ['limit=', '/query/limit'],
      ['limit=1&limit=2', '/query/limit'],
      ['cursor=x', '/query/cursor'],
      ['cursor=', '/query/cursor'],
      ['cursor=%00', '/query/cursor'],
      [`cursor=${Buffer.from('[3100]').toString('base64url')}`, '/query/cursor'],
      [`cursor=${Buffer.from('[-1,"00000000-0000-4000-8000-000000000000"]').toString('base64url')}`, '/query/cursor'],
      [`cursor=${Buffer.from('["3100","x"]').toString('base64url')}`, '/query/cursor'],
      [`cursor=${Buffer.from('[3100,"0; drop table x"]').toString('base64url')}`, '/query/cursor'],
      [`cursor=${'a'.repeat(1025)}`, '/query/cursor'],
      ['port=0', '/query/port'],
      ['port=65536', '/query/port'],
      ['port=99999999999999999999', '/query/port'],
      ['project=', '/query/project'],
      ['project=A', '/query/project'],
      ['service=%00', '/query/service'],
      ['status=active', '/query/status'],
      ['protocol=sctp', '/query/protocol'],
      ['host=', '/query/host'],
      ['host=a%20b', '/query/host'],
      ['cloudflareHostname=nodots', '/query/cloudflareHostname'],
      ['sort=port', '/query/sort'],
      ['Project=odin', '/query/Project'],
      ['__proto__=1', '/query/__proto__'],
    ] as const) {
      assertInvalid(t, await request('GET', `/v1/allocations?${query}`), pointer);
    }
  });
});
