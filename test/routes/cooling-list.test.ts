// The list of released allocations whose ports cool down.
import fc from 'fast-check';
import { type Kysely, sql } from 'kysely';
import t from 'tap';
import type { Tables } from '../../src/database/tables.js';
import type { Allocation } from '../../src/schemas/allocation.js';
import { makeApp, requester } from '../helpers/app.js';
import { databases, openPostgres } from '../helpers/database.js';
import { ADMIN, bearer, makeKey, WITH_KEYS } from '../helpers/keys.js';
import { assertInvalid } from '../helpers/problems.js';
import { holds } from '../helpers/properties.js';
import { insertReservation } from '../helpers/rows.js';

const RUNS = 20;
const COOLDOWN_SECONDS = 3600;
const OWNERS = { 3100: 'consilio', 3200: 'openhorizon', 9000: 'shared-services' };
/** The ends of ranges, a port within the shared range, and one that is in no range. */
const PORTS = [3100, 3101, 3199, 3200, 3299, 9000, 9500, 9999, 40000];
const SPACES = ['localhost', 'db1'].flatMap((host) => ['tcp', 'udp'].map((protocol) => ({ host, protocol })));

const fact = fc.record({
  port: fc.constantFrom(...PORTS),
  space: fc.constantFrom(...SPACES),
  kind: fc.constantFrom('released', 'released', 'released', 'held', 'reserved', 'excluded'),
  /** Of a release, and of the end of a reservation that has passed. */
  secondsAgo: fc.constantFrom(0, 1, 60, COOLDOWN_SECONDS + 60),
  /** A range may have belonged to another project when a port of it was released. */
  isForeign: fc.boolean(),
});
const states = fc.record({
  facts: fc.array(fact, { minLength: 1, maxLength: 25 }),
  cooldowns: fc.record({ 3100: fc.boolean(), 3200: fc.boolean(), 9000: fc.boolean() }),
});
type State = typeof states extends fc.Arbitrary<infer S> ? S : never;

for (const [name, open] of databases) {
  t.test(`whatever was released, it has the ports that are cooling, each once, on ${name}`, async (t) => {
    const { db } = await open(t);
    const request = requester(await makeApp(t, { db }, WITH_KEYS));
    const own = bearer((await makeKey(request, 'project', 'consilio', 'openhorizon')).key);
    const get = async (path: string, who = ADMIN) => (await request('GET', path, undefined, who)).body;
    const listAll = async (who = ADMIN) => {
      const items: Allocation[] = [];
      for (let cursor: string | null = ''; cursor !== null; ) {
        const page = await get(`/v1/allocations?status=cooling&limit=2${cursor && `&cursor=${cursor}`}`, who);
        items.push(...page.items);
        cursor = page.nextCursor;
      }
      return items;
    };

    await holds(
      t,
      fc.asyncProperty(states, async (state) => {
        await makeState(db, state);
        const items = await listAll();
        for (const { host, protocol } of SPACES) {
          const space = `host=${host}&protocol=${protocol}`;
          const cooling = [];
          for (const port of PORTS) {
            if ((await get(`/v1/ports/${port}?${space}`)).state === 'cooling') cooling.push(port);
          }
          const listed = items.filter((item) => item.host === host && item.protocol === protocol);
          equal(
            listed.map(({ port }) => port),
            cooling,
          );
          const ranges = (await get(`/v1/ranges?${space}&limit=1000`)).items as { coolingPorts: number }[];
          equal(
            ranges.reduce((sum, { coolingPorts }) => sum + coolingPorts, 0),
            cooling.length,
          );
          const filtered = await get(`/v1/allocations?status=cooling&limit=1000&${space}`);
          equal(filtered.items, listed);
        }
        for (const { id, port, host, protocol } of items) {
          const last = await get(`/v1/ports/${port}/history?host=${host}&protocol=${protocol}&limit=1`);
          equal(last.items[0].allocationId, id);
        }
        equal(
          items,
          [...items].sort((a, b) => a.port - b.port || (a.id < b.id ? -1 : 1)),
        );
        const visible = items.filter(({ project }) => project === 'consilio' || project === 'openhorizon');
        equal(await listAll(own), visible);
      }),
      { numRuns: RUNS },
    );
  });
}

t.test('what the list of cooling ports has', async (t) => {
  const { db } = await openPostgres(t);
  const request = requester(await makeApp(t, { db }));
  const list = async (query: string) => {
    const { status, body } = await request('GET', `/v1/allocations?status=cooling${query}`);
    t.equal(status, 200, query);
    return body.items.map(({ service, port }: Allocation) => `${service}:${port}`);
  };
  const release = async (path: string, body?: object) => {
    const { id } = (await request('PUT', `/v1/projects/${path}`, body)).body;
    return (await request('DELETE', `/v1/allocations/${id}`)).body;
  };
  for (const start of [3100, 3300]) {
    await request('PATCH', `/v1/ranges/${start}`, { reuseCooldownSeconds: COOLDOWN_SECONDS });
  }
  const api = await release('consilio/services/api', { cloudflareHostname: 'api.example.com' });
  await release('consilio/services/web?environment=staging');
  await release('consilio/services/dns?host=db1&protocol=udp');
  await release('odin/services/api');
  await release('health-agent/services/warm');

  t.test('they are as they were released', async (t) => {
    const { body } = await request('GET', '/v1/allocations?status=cooling&port=3100&host=localhost');
    t.same(body, { items: [api], nextCursor: null });
  });

  t.test('every filter narrows it', async (t) => {
    for (const [query, expected] of [
      ['&project=consilio&host=localhost', ['api:3100', 'web:3101']],
      ['&project=health-agent', []],
      ['&project=nobody', []],
      ['&service=api', ['api:3100', 'api:3300']],
      ['&environment=staging', ['web:3101']],
      ['&host=DB1.', ['dns:3100']],
      ['&protocol=udp', ['dns:3100']],
      ['&port=3101', ['web:3101']],
      ['&port=3102', []],
      ['&port=2', []],
      ['&cloudflareHostname=api.example.com', ['api:3100']],
    ] as const) {
      t.strictSame(await list(query), expected, query);
    }
  });

  t.test('a time beside it is refused', async (t) => {
    const path = '/v1/allocations?status=cooling&at=2026-01-01T00:00:00Z';
    assertInvalid(t, await request('GET', path), '/query/status', /leave out status/);
  });
});

t.test('a port that was released thousands of times within its cooldown hides no other', async (t) => {
  const { db, withoutLimits } = await openPostgres(t);
  const request = requester(await makeApp(t, { db }));
  const listed = async () =>
    (await request('GET', '/v1/allocations?status=cooling')).body.items.map(
      ({ port, host }: Allocation) => `${host}:${port}`,
    );
  await makeState(db, {
    facts: [
      { port: 3100, space: { host: 'db1', protocol: 'udp' }, kind: 'released', secondsAgo: 60, isForeign: false },
      { port: 3200, space: { host: 'db1', protocol: 'tcp' }, kind: 'released', secondsAgo: 60, isForeign: false },
      { port: 9500, space: { host: 'localhost', protocol: 'tcp' }, kind: 'released', secondsAgo: 60, isForeign: false },
    ],
    cooldowns: { 3100: true, 3200: false, 9000: true },
  });
  const few = ['db1:3100', 'localhost:9500'];
  t.strictSame(await listed(), few);
  await withoutLimits((unlimited) =>
    sql`
      insert into port_allocations (port, project, service, status, released_at)
      select 3101, 'consilio', 'again', 'released', clock_timestamp() - interval '1 s'
      from generate_series(1, 6000)`.execute(unlimited),
  );
  t.strictSame(await listed(), ['db1:3100', 'localhost:3101', 'localhost:9500']);
});

async function makeState(db: Kysely<Tables>, { facts, cooldowns }: State): Promise<void> {
  await sql`delete from port_allocations`.execute(db);
  await sql`delete from port_reservations`.execute(db);
  await sql`delete from excluded_ports`.execute(db);
  for (const [start, cools] of Object.entries(cooldowns)) {
    const seconds = cools ? COOLDOWN_SECONDS : 0;
    await sql`
      update port_ranges set reuse_cooldown_seconds = ${seconds}::integer
      where start_port = ${Number(start)}`.execute(db);
  }
  /** A number has one reservation at a time. */
  const reserved = new Set<string>();
  for (const { port, space, kind, secondsAgo, isForeign } of facts) {
    const start = port >= 9000 && port <= 9999 ? 9000 : port - (port % 100);
    const project = isForeign ? 'odin' : (OWNERS[start as keyof typeof OWNERS] ?? 'odin');
    const { host, protocol } = space;
    if (kind === 'released') {
      await sql`
        insert into port_allocations (port, project, service, host, protocol, status, released_at)
        values (${port}, ${project}, 'old', ${host}, ${protocol}, 'released',
                clock_timestamp() - make_interval(secs => ${secondsAgo}))`.execute(db);
    } else if (kind === 'held') {
      await sql`
        insert into port_allocations (port, project, service, host, protocol)
        values (${port}, ${project}, 'held', ${host}, ${protocol}) on conflict do nothing`.execute(db);
    } else if (kind === 'reserved') {
      const spot = `${port} ${host} ${protocol}`;
      if (reserved.has(spot)) continue;
      reserved.add(spot);
      const seconds = secondsAgo <= COOLDOWN_SECONDS ? COOLDOWN_SECONDS : -60;
      await insertReservation(db, { port, project, host, protocol: protocol as 'tcp' | 'udp', seconds });
    } else {
      await sql`insert into excluded_ports values (${port}, 'Taken here') on conflict do nothing`.execute(db);
    }
  }
}

function equal(found: unknown, wanted: unknown): void {
  const [a, b] = [JSON.stringify(found), JSON.stringify(wanted)];
  if (a !== b) throw new Error(`${a} is not ${b}`);
}
