// The environments of all projects.
import { sql } from 'kysely';
import t from 'tap';
import { makeApp, requester } from '../helpers/app.js';
import { databases } from '../helpers/database.js';

const DAY_SECONDS = 86_400;

for (const [name, open] of databases) {
  t.test(`on ${name}`, async (t) => {
    const database = await open(t);
    const request = requester(await makeApp(t, database));
    const put = (project: string, environment: string, path?: string, query = '') =>
      request('PUT', `/v1/projects/${project}/environments/${environment}${query}`, {
        services: [{ service: 'web' }, { service: 'api' }],
        path,
      });
    const list = async (query = '') => {
      const answer = await request('GET', `/v1/environments${query}`);
      t.equal(answer.status, 200, answer.text);
      return answer.body.items;
    };
    const names = async (query: string) =>
      (await list(query)).map((row: { project: string; environment: string }) => `${row.project} ${row.environment}`);
    /** @param used null if no probe has found it listening */
    const age = (environment: string, allocatedDays: number, usedDays: number | null) =>
      sql`
        update port_allocations
        set allocated_at = clock_timestamp() - make_interval(days => ${allocatedDays}),
            last_used_at = clock_timestamp() - make_interval(days => ${usedDays}::integer)
        where environment = ${environment}`.execute(database.db);

    await put('odin', 'main', '/srv/odin');
    await put('consilio', 'b', '/home/kim/b b/ü');
    await put('consilio', 'a');
    await put('consilio', 'a', undefined, '?host=db1&protocol=udp');
    await put('consilio', 'gone', '/home/kim/gone');
    await request('DELETE', '/v1/projects/consilio/environments/gone');

    t.test('lists what holds a port, by project and name', async (t) => {
      await sql`
        update port_allocations set allocated_at = '2026-01-31T12:00:00Z', last_used_at = '2026-01-31T12:45:00Z',
          status = 'in_use' where environment = 'main' and service = 'web'`.execute(database.db);
      const rows = await list();
      t.match(rows, [
        { project: 'consilio', environment: 'a', path: null, ports: 4, listening: 0, lastUsedAt: null },
        { project: 'consilio', environment: 'b', path: '/home/kim/b b/ü', ports: 2 },
        {},
      ]);
      t.strictSame(rows[2], {
        project: 'odin',
        environment: 'main',
        path: '/srv/odin',
        ports: 2,
        firstAllocatedAt: '2026-01-31T12:00:00.000Z',
        lastUsedAt: '2026-01-31T12:45:00.000Z',
        listening: 1,
        expiresAfterSeconds: null,
        onExpiry: null,
        expiresAt: null,
      });
      const own = await request('GET', '/v1/projects/consilio/environments');
      t.match(own.body.items, [
        { environment: 'a', path: null },
        { environment: 'b', path: '/home/kim/b b/ü' },
      ]);
    });

    t.test('by project, host and folder', async (t) => {
      t.same(await names('?project=odin'), ['odin main']);
      t.same(await names('?project=nobody'), []);
      t.match(await list('?host=DB1.'), [{ environment: 'a', ports: 2 }]);
      t.same(await names(`?path=${encodeURIComponent('/home/kim/b b/ü')}`), ['consilio b']);
      t.same(await names('?path=/srv/odin&project=odin&host=localhost'), ['odin main']);
      for (const query of ['?path=/srv', '?path=/srv/odin/', '?path=/srv/odin&host=db1', '?path=/home/kim/gone']) {
        t.same(await names(query), [], query);
      }
      t.same(await names('?path=/srv/odin&project=consilio'), []);
    });

    t.test('by how long no port was used, where an allocation counts as use', async (t) => {
      await age('a', 40, null);
      await age('b', 40, 10);
      await age('main', 5, 40);
      t.same(await names('?unusedForSeconds=0'), ['consilio a', 'consilio b', 'odin main']);
      t.same(await names(`?unusedForSeconds=${30 * DAY_SECONDS}`), ['consilio a']);
      t.same(await names(`?unusedForSeconds=${7 * DAY_SECONDS}`), ['consilio a', 'consilio b']);
      t.same(await names(`?unusedForSeconds=${4 * DAY_SECONDS}&path=/srv/odin`), ['odin main']);
      t.same(await names(`?unusedForSeconds=${6 * DAY_SECONDS}&path=/srv/odin`), []);
      await request('PUT', '/v1/projects/consilio/services/new?environment=a');
      t.same(await names(`?unusedForSeconds=${DAY_SECONDS}&project=consilio`), ['consilio b']);
    });

    t.test('comes in pages, with a link to the next one', async (t) => {
      await put('odin', 'same', '/srv/odin');
      for (const [query, all] of [
        ['', ['consilio a', 'consilio b', 'odin main', 'odin same']],
        ['&path=/srv/odin', ['odin main', 'odin same']],
      ] as const) {
        const found: string[] = [];
        for (let url: string | undefined = `/v1/environments?limit=1${query}`; url !== undefined; ) {
          const { body, headers } = await request('GET', url);
          found.push(
            ...body.items.map((row: { project: string; environment: string }) => `${row.project} ${row.environment}`),
          );
          url = /<(.*)>; rel="next"/.exec(String(headers.link))?.[1];
          t.equal(url !== undefined, body.nextCursor !== null);
        }
        t.same(found, all);
      }
    });

    t.test('what cannot be asked is refused', async (t) => {
      for (const [query, pointer] of [
        ['path=relative', '/query/path'],
        ['path=', '/query/path'],
        ['path=/a%0Ab', '/query/path'],
        ['path=/a%00b', '/query/path'],
        ['unusedForSeconds=-1', '/query/unusedForSeconds'],
        ['unusedForSeconds=1.5', '/query/unusedForSeconds'],
        ['unusedForSeconds=30d', '/query/unusedForSeconds'],
        ['unusedForSeconds=99999999999', '/query/unusedForSeconds'],
        ['project=No', '/query/project'],
        ['host=a%20b', '/query/host'],
        ['limit=0', '/query/limit'],
        ['cursor=x', '/query/cursor'],
        ['environment=a', '/query/environment'],
      ] as const) {
        const refused = await request('GET', `/v1/environments?${query}`);
        t.match([refused.status, refused.body.errors?.[0].pointer], [400, pointer], query);
      }
    });
  });
}
