// The list of allocations as it was at a moment.
import { sql } from 'kysely';
import t from 'tap';
import { makeApp, requester } from '../helpers/app.js';
import { databases } from '../helpers/database.js';
import { bearer, makeKey, WITH_KEYS } from '../helpers/keys.js';
import { assertInvalid } from '../helpers/problems.js';

const day = (number: number) => `2026-01-0${number}T00:00:00.000Z`;

for (const [name, open] of databases) {
  t.test(`what was held at a moment, on ${name}`, async (t) => {
    const { db } = await open(t);
    const request = requester(await makeApp(t, { db }));
    const hold = async (port: number, service: string, from: number, until: number | null, rest: object = {}) => {
      const {
        project = 'consilio',
        environment = 'default',
        host = 'localhost',
        protocol = 'tcp',
      } = rest as Record<string, string>;
      await sql`
        insert into port_allocations (port, project, service, environment, host, protocol, status, allocated_at, released_at)
        values (${port}, ${project}, ${service}, ${environment}, ${host}, ${protocol},
          ${until === null ? 'allocated' : 'released'}, ${day(from)}, ${until === null ? null : day(until)})`.execute(
        db,
      );
    };
    await hold(3100, 'api', 1, 3);
    await hold(3100, 'web', 3, 3); // allocated and released within one millisecond
    await hold(3100, 'next', 3, 6);
    await hold(3100, 'now', 7, null);
    await hold(3100, 'dns', 1, 8, { host: 'db1', protocol: 'udp', environment: 'staging' });
    await hold(3101, 'worker', 2, null);
    await hold(3102, 'short', 4, 5);
    await hold(3300, 'odins', 1, 5, { project: 'odin' });
    const list = async (query: string) => {
      const { status, body } = await request('GET', `/v1/allocations?${query}`);
      t.equal(status, 200, query);
      return body.items.map((item: { service: string; port: number }) => `${item.service}:${item.port}`);
    };

    t.test('it is what had been allocated, and had not been released', async (t) => {
      t.strictSame((await list(`at=${day(2)}`)).sort(), ['api:3100', 'dns:3100', 'odins:3300', 'worker:3101']);
      t.strictSame((await list(`at=${day(3)}`)).sort(), ['dns:3100', 'next:3100', 'odins:3300', 'worker:3101']);
      t.strictSame(await list(`at=${day(5)}&host=localhost`), ['next:3100', 'worker:3101']);
      t.strictSame(await list(`at=${day(6)}&host=localhost`), ['worker:3101']);
      t.strictSame(await list(`at=${day(8)}`), ['now:3100', 'worker:3101']);
      t.strictSame(await list('at=2025-12-31T23:59:59Z'), []);
      t.strictSame(await list('at=2026-01-02T01:30:00%2B01:30&port=3101'), ['worker:3101'], 'of any time zone');
    });

    t.test('every filter narrows it', async (t) => {
      for (const [query, expected] of [
        ['project=odin', ['odins:3300']],
        ['service=worker', ['worker:3101']],
        ['environment=staging', ['dns:3100']],
        ['host=DB1.', ['dns:3100']],
        ['protocol=udp', ['dns:3100']],
        ['port=3100&protocol=tcp', ['next:3100']],
        ['port=3103', []],
        ['cloudflareHostname=a.example.com', []],
      ] as const) {
        t.strictSame(await list(`at=${day(4)}&${query}`), expected, query);
      }
    });

    t.test('its pages have each once', async (t) => {
      const services = [];
      for (let cursor = ''; ; ) {
        const { body } = await request('GET', `/v1/allocations?at=${day(4)}&limit=1${cursor}`);
        services.push(...body.items.map(({ service }: { service: string }) => service));
        if (body.nextCursor === null) break;
        cursor = `&cursor=${body.nextCursor}`;
      }
      t.strictSame(services.slice(2), ['worker', 'short', 'odins']);
      t.strictSame(services.slice(0, 2).sort(), ['dns', 'next']);
    });

    t.test('each is as it is now', async (t) => {
      const { body } = await request('GET', `/v1/allocations?at=${day(4)}&service=short`);
      t.match(body.items, [{ status: 'released', allocatedAt: day(4), releasedAt: day(5) }]);
    });

    t.test('a time to come is refused, and a status beside it', async (t) => {
      const to = new Date(Date.now() + 3_600_000).toISOString();
      const ask = (query: string) => request('GET', `/v1/allocations?${query}`);
      assertInvalid(
        t,
        await ask(`at=${to}`),
        '/query/at',
        /^It is .*Z now, and what will be held later is not known\./,
      );
      assertInvalid(t, await ask(`at=${day(4)}&status=any`), '/query/status', /leave out status/);
      assertInvalid(t, await ask('at=yesterday'), '/query/at');
      t.equal((await request('GET', `/v1/allocations?at=${new Date(Date.now() - 5).toISOString()}`)).status, 200);
    });
  });
}

t.test('what others held at a moment is left out', async (t) => {
  const [[, open]] = databases as [(typeof databases)[number]];
  const database = await open(t);
  const request = requester(await makeApp(t, database, WITH_KEYS));
  const { key } = await makeKey(request, 'project', 'odin');
  const own = bearer(key);
  await sql`
    insert into port_allocations (port, project, service, status, allocated_at, released_at)
    values (3100, 'consilio', 'api', 'released', ${day(1)}, ${day(3)}), (3300, 'odin', 'api', 'released', ${day(1)}, ${day(3)}),
           (3101, 'consilio', 'api', 'allocated', ${day(1)}, null)`.execute(database.db);
  const { body } = await request('GET', `/v1/allocations?at=${day(2)}`, undefined, own);
  t.match(body.items, [{ project: 'odin' }]);
  t.equal(body.items.length, 1);
});
