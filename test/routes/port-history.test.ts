import { sql } from 'kysely';
import t from 'tap';
import { makeApp, requester } from '../helpers/app.js';
import { databases, openPostgres } from '../helpers/database.js';
import { ADMIN, bearer, makeKey, WITH_KEYS } from '../helpers/keys.js';
import { assertInvalid } from '../helpers/problems.js';

const HISTORY = '/v1/ports/3100/history';

for (const [name, open] of databases) {
  t.test(`the history of a port, on ${name}`, async (t) => {
    const { db } = await open(t);
    const request = requester(await makeApp(t, { db }));
    const history = async (query = '') => (await request('GET', `${HISTORY}${query}`)).body;
    const hold = async (service: string, query = '') => {
      const { body } = await request('PUT', `/v1/projects/consilio/services/${service}${query}`);
      t.equal(body.port, 3100);
      return body;
    };
    const release = async ({ id }: { id: string }) => (await request('DELETE', `/v1/allocations/${id}`)).body;

    t.test('of one that nobody ever had is empty, in a range or not', async (t) => {
      t.strictSame(await history(), { items: [], nextCursor: null });
      t.strictSame((await request('GET', '/v1/ports/70/history')).body, { items: [], nextCursor: null });
    });

    t.test('tells who had it, from when to when, the newest first', async (t) => {
      const first = await release(await hold('api'));
      const second = await release(await hold('web', '?environment=staging'));
      const third = await hold('api');
      const { items } = await history();
      t.match(items, [
        { allocationId: third.id, service: 'api', allocatedAt: third.allocatedAt, releasedAt: null, releasedBy: null },
        { allocationId: second.id, service: 'web', environment: 'staging', releasedAt: second.releasedAt },
        { allocationId: first.id, project: 'consilio', service: 'api', environment: 'default' },
      ]);
      t.strictSame(Object.keys(items[0]).sort(), [
        'allocatedAt',
        'allocatedBy',
        'allocationId',
        'environment',
        'project',
        'releasedAt',
        'releasedBy',
        'service',
      ]);
      await release(third);
    });

    t.test('is that of one host and protocol', async (t) => {
      await release(await hold('dns', '?host=db1&protocol=udp'));
      t.equal((await history()).items.length, 3);
      t.match(await history('?host=DB1.&protocol=udp'), { items: [{ service: 'dns' }] });
      t.strictSame((await history('?host=db1')).items, []);
    });

    t.test('has pages, to which a release in between adds nothing', async (t) => {
      const held = await hold('last');
      const all = (await history()).items;
      const first = await request('GET', `${HISTORY}?limit=1`);
      t.strictSame(first.body.items, [all[0]]);
      t.match(
        first.headers.link,
        new RegExp(`/v1/ports/3100/history\\?limit=1&cursor=${first.body.nextCursor}>; rel="next"`),
      );
      await release(held);
      const second = await history(`?limit=2&cursor=${first.body.nextCursor}`);
      t.strictSame(second.items, all.slice(1, 3));
      const third = await history(`?limit=2&cursor=${second.nextCursor}`);
      t.strictSame(third, { items: all.slice(3), nextCursor: null });
      t.equal(all.length, 4);
    });

    t.test('of several holders within one millisecond has each once', async (t) => {
      await sql`update port_allocations set allocated_at = '2026-01-01', released_at = '2026-01-01'
                where port = 3100 and host = 'localhost'`.execute(db);
      const all = (await history()).items;
      const paged = [];
      for (let cursor = ''; ; ) {
        const { items, nextCursor } = await history(`?limit=1${cursor}`);
        paged.push(...items);
        if (nextCursor === null) break;
        cursor = `&cursor=${nextCursor}`;
      }
      t.equal(all.length, 4);
      t.strictSame(paged, all);
    });

    t.test('refuses what it cannot use', async (t) => {
      for (const [query, pointer] of [
        ['cursor=WyIiXQ', '/query/cursor'],
        ['limit=0', '/query/limit'],
        ['protocol=both', '/query/protocol'],
        ['service=api', '/query/service'],
      ] as const) {
        assertInvalid(t, await request('GET', `${HISTORY}?${query}`), pointer);
      }
      assertInvalid(t, await request('GET', '/v1/ports/0/history'), '/path/port');
    });
  });
}

t.test('history says which keys allocated and released, and of what for those who may see it', async (t) => {
  const { db } = await openPostgres(t);
  const request = requester(await makeApp(t, { db }, WITH_KEYS));
  const [consilio, odin] = [await makeKey(request, 'project', 'consilio'), await makeKey(request, 'project', 'odin')];
  const { body } = await request('PUT', '/v1/projects/consilio/services/api', undefined, {
    ...bearer(consilio.key),
    'user-agent': 'deploy/1.2',
  });
  await request('DELETE', `/v1/allocations/${body.id}`, undefined, ADMIN);
  // The range went to another project since.
  await sql`update port_ranges set project = 'odin' where start_port = 3100`.execute(db);
  await request('PUT', '/v1/projects/odin/services/web', undefined, bearer(odin.key));
  await request('POST', '/v1/projects/odin/allocations', { service: 'web', port: 3100 }, bearer(odin.key));
  const seenBy = async (headers: Record<string, string>, query = '') =>
    (await request('GET', `${HISTORY}${query}`, undefined, headers)).body;

  t.match(await seenBy(bearer(consilio.key)), {
    items: [
      {
        project: 'consilio',
        allocatedBy: { kind: 'key', keyId: consilio.id, name: 'project consilio', client: 'deploy/1.2' },
        releasedBy: { kind: 'key', name: 'ADMIN_API_KEY' },
      },
    ],
  });
  t.match(await seenBy(bearer(odin.key)), { items: [{ project: 'odin', allocatedBy: { keyId: odin.id } }] });
  t.strictSame(
    (await seenBy(ADMIN)).items.map(({ project }: { project: string }) => project),
    ['odin', 'consilio'],
  );
  // Nothing tells that somebody else had it before.
  const page = await seenBy(bearer(odin.key), '?limit=1');
  t.strictSame([page.items.length, page.nextCursor], [1, null]);
});
