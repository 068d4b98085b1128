// The folder that an environment lives in.
import { sql } from 'kysely';
import t from 'tap';
import { makeApp, requester } from '../helpers/app.js';
import { databases } from '../helpers/database.js';
import { readRegistry } from '../helpers/rows.js';

const HERE = '/home/kim/consilio';
const THERE = 'C:\\work\\consilio';
const WEB = [{ service: 'web' }];

for (const [name, open] of databases) {
  t.test(`on ${name}`, async (t) => {
    const database = await open(t);
    const request = requester(await makeApp(t, database));
    const url = (environment: string, query = '') => `/v1/projects/consilio/environments/${environment}${query}`;
    const put = (environment: string, path: string | null, services: object[] = WEB) =>
      request('PUT', url(environment), { services, ...(path !== null && { path }) });
    const readPaths = async () =>
      (await sql`select project, environment, path from environments order by environment`.execute(database.db)).rows;
    const row = (environment: string, path: string) => ({ project: 'consilio', environment, path });

    t.test('the first path is kept as long as the environment holds a port', async (t) => {
      t.equal((await put('a', HERE)).status, 201);
      t.equal((await put('a', HERE)).status, 200);
      const refused = await put('a', THERE, [{ service: 'web', description: 'other' }, { service: 'api' }]);
      t.match([refused.status, refused.body.code, refused.body.path], [409, 'environment-elsewhere', HERE]);
      t.match(refused.body.detail, /^Environment a of consilio holds ports for the folder \/home\/kim\/consilio, and/);
      t.match((await request('GET', url('a'))).body.items, [{ service: 'web', description: null }]);
      t.equal((await request('GET', url('a'))).body.items.length, 1, 'nothing was changed');
      t.equal((await put('a', null, [{ service: 'api' }])).status, 201, 'without a path nothing is checked');
      t.equal((await put('b', THERE)).status, 201);
      t.same(await readPaths(), [row('a', HERE), row('b', THERE)]);
    });

    t.test(
      'it ends with the last port, on whichever host and protocol, and the next path takes its place',
      async (t) => {
        await request('PUT', '/v1/projects/consilio/services/far?environment=a&host=db1&protocol=udp');
        const { id } = (await request('PUT', '/v1/projects/consilio/services/api?environment=a')).body;
        await request('DELETE', '/v1/projects/consilio/services/web?environment=a');
        await request('DELETE', `/v1/allocations/${id}`);
        t.equal((await put('a', THERE)).body.code, 'environment-elsewhere');
        await request('DELETE', url('a', '?host=db1&protocol=udp'));
        t.same(await readPaths(), [row('b', THERE)]);
        await request('PUT', '/v1/projects/consilio/services/web?environment=a');
        t.equal((await put('a', THERE)).status, 200, 'an environment without a path gets one');
        t.same(await readPaths(), [row('a', THERE), row('b', THERE)]);
        t.equal((await put('a', HERE)).body.code, 'environment-elsewhere');
      },
    );

    t.test('release_port() removes it too', async (t) => {
      const { items } = (await put('c', HERE, [{ service: 'web' }, { service: 'api' }])).body;
      for (const { port } of items) {
        t.same((await readPaths()).at(-1), row('c', HERE));
        await sql`select release_port(${port})`.execute(database.db);
      }
      t.same(await readPaths(), [row('a', THERE), row('b', THERE)]);
    });

    t.test('a refused call records no path', async (t) => {
      const many = Array.from({ length: 101 }, (_, i) => ({ service: `s${i}` }));
      t.equal((await put('full', HERE, many)).body.code, 'range-exhausted');
      t.same(await readPaths(), [row('a', THERE), row('b', THERE)]);
    });

    t.test('paths that are none are refused', async (t) => {
      const before = await readRegistry(database.db);
      for (const path of [
        ...['', 'relative', './x', '~/x', 'C:x', '\\x', 'file:///x', '/a\nb', '/a\u0000b', '/a\u007fb', '/a\u0085b'],
        ...[`/${'x'.repeat(4096)}`, '/\ud800', 7, null, ['/x'], { path: '/x' }],
      ]) {
        const refused = await request('PUT', url('bad'), { services: WEB, path });
        t.match([refused.status, refused.body.errors?.[0].pointer], [400, '/path'], JSON.stringify(path));
      }
      t.equal(await readRegistry(database.db), before);
    });

    t.test('any absolute path is kept as it was given, and compared exactly', async (t) => {
      const paths = ['/', `/${'ü'.repeat(4095)}`, 'c:/x', '\\\\server\\share', '/tmp/a b/🚢 "x"/', '/x/../y', '/X'];
      for (const [i, path] of paths.entries()) {
        t.equal((await put(`p${i}`, path)).status, 201, path);
        t.equal((await put(`p${i}`, path)).status, 200, path);
        t.equal((await put(`p${i}`, `${path.slice(0, 4000)}x`)).body.path, path);
      }
    });
  });
}
