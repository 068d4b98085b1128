import type { Kysely } from 'kysely';
import t, { type Test } from 'tap';
import type { Tables } from '../../src/database/tables.js';
import { insertHealthCheck } from '../../src/registry/health-checks.js';
import { Registry } from '../../src/registry/registry.js';
import { makeApp, requester } from '../helpers/app.js';
import { openPostgres } from '../helpers/database.js';
import { listen, openBlackHole } from '../helpers/listeners.js';

const HOST = '127.0.0.31';

async function setUp(t: Test, variables: Record<string, string> = {}) {
  const { db } = await openPostgres(t);
  const request = requester(await makeApp(t, { db }, { PROBE_TARGETS: `web=${HOST}`, ...variables }));
  const allocate = async (service: string, query = 'host=web') =>
    (await request('PUT', `/v1/projects/odin/services/${service}?${query}`)).body;
  const verify = (id: string, headers?: Record<string, string>) =>
    request('POST', `/v1/allocations/${id}/health-checks`, undefined, headers);
  const read = async (id: string) => (await request('GET', `/v1/allocations/${id}`)).body;
  return { db, request, allocate, verify, read };
}

t.test('the outcome `open` makes the status `in_use`, `refused` makes it `allocated` again', async (t) => {
  const { allocate, verify, read, request } = await setUp(t);
  const held = await allocate('api');
  const server = await listen(t, HOST, held.port);

  const found = await verify(held.id);
  t.equal(found.status, 201);
  t.match(found.body, { allocationId: held.id, port: held.port, host: 'web', outcome: 'open', error: null });
  const used = await read(held.id);
  t.match(used, { status: 'in_use', lastUsedAt: found.body.checkedAt, updatedAt: found.body.checkedAt });

  const again = await verify(held.id);
  t.match(await read(held.id), { lastUsedAt: again.body.checkedAt, updatedAt: found.body.checkedAt });

  server.close();
  const gone = await verify(held.id);
  t.match(gone.body, { outcome: 'refused', error: 'ECONNREFUSED' });
  t.match(await read(held.id), { status: 'allocated', lastUsedAt: again.body.checkedAt });

  const history = await request('GET', `/v1/allocations/${held.id}/health-checks`);
  t.same(history.body, { items: [gone.body, again.body, found.body], nextCursor: null });
});

t.test('a timeout and an unreachable host do not change the status', async (t) => {
  const { db, allocate, verify, read } = await setUp(t, {
    PROBE_TIMEOUT_MS: '200',
    PROBE_ALLOWED_HOSTS: 'nowhere.invalid',
  });
  const slow = await allocate('slow');
  const lost = await allocate('lost', 'host=nowhere.invalid');
  await db.updateTable('port_allocations').set({ status: 'in_use' }).execute();
  await openBlackHole(t, HOST, slow.port);
  t.match((await verify(slow.id)).body, { outcome: 'timeout', responseTimeMs: null });
  t.match((await verify(lost.id)).body, { outcome: 'unreachable', responseTimeMs: null });
  t.equal((await read(slow.id)).status, 'in_use');
  t.equal((await read(lost.id)).status, 'in_use');
});

t.test('a probe may take longer than a request', async (t) => {
  const { allocate, verify } = await setUp(t, { PROBE_TIMEOUT_MS: '600', REQUEST_TIMEOUT_MS: '500' });
  const slow = await allocate('slow');
  await openBlackHole(t, HOST, slow.port);
  t.match(await verify(slow.id), { status: 201, body: { outcome: 'timeout' } });
});

t.test('a port that may not be probed is refused with what to do, and nothing is stored', async (t) => {
  const { db, request, allocate, verify } = await setUp(t);
  const udp = await allocate('dns', 'host=web&protocol=udp');
  const far = await allocate('far', 'host=10.0.0.5');
  const metadata = await allocate('metadata', 'host=169.254.169.254');
  const released = await allocate('released');
  await request('DELETE', `/v1/allocations/${released.id}`);
  for (const [{ id }, detail] of [
    [udp, /UDP/],
    [far, /PROBE_ALLOWED_HOSTS/],
    [metadata, /link-local/],
    [released, /released/],
  ] as const) {
    t.match(await verify(id), { status: 422, body: { code: 'not-probeable', detail } });
  }
  t.same(await db.selectFrom('port_health_checks').selectAll().execute(), []);
});

t.test('an address of a forbidden range stays forbidden when it is allowed by a name', async (t) => {
  const { allocate, verify } = await setUp(t, { PROBE_ALLOWED_HOSTS: 'ip6-allnodes' });
  const { id } = await allocate('multicast', 'host=ip6-allnodes');
  const answer = await verify(id);
  // If the machine's hosts file does not have the name, it resolves to no address.
  if (answer.status === 422) t.match(answer.body, { code: 'not-probeable', detail: /multicast/ });
  else t.match(answer.body, { outcome: 'unreachable' });
});

t.test('an allocation that is released during the probe stays released', async (t) => {
  const { db, request, allocate, read } = await setUp(t);
  const held = await allocate('api');
  await request('DELETE', `/v1/allocations/${held.id}`);
  const released = await read(held.id);
  const found = {
    allocationId: held.id,
    port: held.port,
    host: 'web',
    outcome: 'open',
    responseTimeMs: 1,
    error: null,
  };
  await insertHealthCheck(
    new Registry(db as Kysely<Tables>).asBackground(),
    'odin',
    { ...found, outcome: 'open' },
    null,
  );
  t.same(await read(held.id), released);
  t.equal((await request('GET', `/v1/allocations/${held.id}/health-checks`)).body.items.length, 1);
});

t.test('an Idempotency-Key makes a retry the same check, however many come at once', async (t) => {
  const { db, allocate, verify } = await setUp(t);
  const held = await allocate('api');
  const other = await allocate('other');
  const key = { 'idempotency-key': 'verify-1' };
  const answers = await Promise.all(Array.from({ length: 8 }, () => verify(held.id, key)));
  t.same([...new Set(answers.map(({ status }) => status))], [201]);
  t.equal(new Set(answers.map(({ body }) => body.id)).size, 1);
  t.equal((await verify(held.id, key)).headers['idempotent-replayed'], 'true');
  t.equal((await db.selectFrom('port_health_checks').selectAll().execute()).length, 1);
  t.match(await verify(other.id, key), { status: 422, body: { code: 'idempotency-key-reused' } });
});

t.test('the history comes in pages, newest first', async (t) => {
  const { request, allocate, verify } = await setUp(t);
  const { id } = await allocate('api');
  const ids: string[] = [];
  for (let i = 0; i < 5; i++) ids.unshift((await verify(id)).body.id);
  const seen: string[] = [];
  let cursor: string | null = '';
  while (cursor !== null) {
    const page: Awaited<ReturnType<typeof request>> = await request(
      'GET',
      `/v1/allocations/${id}/health-checks?limit=2${cursor && `&cursor=${cursor}`}`,
    );
    seen.push(...page.body.items.map((item: { id: string }) => item.id));
    cursor = page.body.nextCursor;
  }
  t.same(seen, ids);
  const unknown = '/v1/allocations/0b4e1d1e-6d3c-4a8f-9d55-0f7f6a3f2c11/health-checks';
  t.match(await request('GET', unknown), { status: 404, body: { code: 'allocation-not-found' } });
  t.match(await request('POST', unknown), { status: 404, body: { code: 'allocation-not-found' } });
  t.equal((await request('GET', `/v1/allocations/${id}/health-checks?cursor=x`)).status, 400);
  t.equal((await request('POST', `/v1/allocations/${id}/health-checks`, { timeout: 1 })).status, 400);
});
