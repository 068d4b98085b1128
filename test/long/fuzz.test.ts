// Random requests never get a 5xx, every refusal is a problem document, and a refused request changes nothing.
// FUZZ_RUNS sets their number, FUZZ_SEED repeats a run.
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { type Kysely, sql } from 'kysely';
import t from 'tap';
import type { Tables } from '../../src/database/tables.js';
import { problems } from '../../src/errors.js';
import { makeApp, requester } from '../helpers/app.js';
import { CLOUDFLARE, startCloudflare } from '../helpers/cloudflare/api.js';
import { openPostgres } from '../helpers/database.js';
import { type KnownValues, operationIds, requests } from '../helpers/fuzz.js';
import { ADMIN, WITH_KEYS } from '../helpers/keys.js';
import { holds } from '../helpers/properties.js';

const RUNS = Number(process.env.FUZZ_RUNS ?? 4500);
const SEED = Number(process.env.FUZZ_SEED ?? Date.now() % 2 ** 31);

type Collection = 'allocations' | 'reservations' | 'api-keys' | 'audits' | 'webhooks';
const MAKES: Record<string, Collection> = {
  reservePort: 'reservations',
  createApiKey: 'api-keys',
  createWebhook: 'webhooks',
};

const ENDS: Record<string, 'allocations' | 'reservations' | 'webhooks'> = {
  releaseAllocation: 'allocations',
  cancelReservation: 'reservations',
  claimReservation: 'reservations',
  deleteWebhook: 'webhooks',
};

/** Everything that is stored, except the answers to idempotency keys and the times at which API keys were last used. */
async function fingerprint(db: Kysely<Tables>): Promise<string> {
  const { rows } = await sql<{ md5: string }>`
    select md5(string_agg(kept, ',' order by kept)) as md5 from (
      select r::text as kept from port_ranges r
      union all select a::text from port_allocations a
      union all select v::text from port_reservations v
      union all select h::text from port_health_checks h
      union all select p::text from environments p
      union all select e::text from excluded_ports e
      union all select id::text from port_audits
      union all select w::text from webhooks w
      union all select d::text from webhook_deliveries d
      union all select (k.id, k.name, k.role, k.projects, k.expires_at)::text from api_keys k
    ) everything`.execute(db);
  return rows[0]?.md5 ?? '';
}

/** The newest ids are at the end, and only these are used in requests. */
function toFront(ids: string[], id = ''): void {
  const at = ids.indexOf(id);
  if (at >= 0) ids.unshift(...ids.splice(at, 1));
}

t.setTimeout(280_000);

t.test(`${RUNS} valid and invalid requests`, async (t) => {
  const { db } = await openPostgres(t);
  const { url: cloudflareUrl } = await startCloudflare(t);
  const variables = { ...WITH_KEYS, ...CLOUDFLARE, PROBE_TIMEOUT_MS: '50' };
  const request = requester(await makeApp(t, { db }, variables, null, { cloudflareUrl }));
  const ids: Record<Collection, string[]> = {
    allocations: [],
    reservations: [],
    'api-keys': [],
    audits: [],
    webhooks: [],
  };
  const deliveryId: string[] = [];
  const deliveryOf = new Map<string, string>();
  const startPort = [3100, 3300, 9000, 20_000];
  const known: KnownValues = {
    ...ids,
    project: ['consilio', 'odin', 'nobody'],
    startPort,
    port: [3100, 3101, 3399, 9000, 1],
    url: ['http://localhost:1/', 'https://localhost/?a', 'http://other.example/'],
    deliveryId,
    host: ['localhost', 'web', '10.0.0.5', '::1'],
  };
  const outcomes = new Map<string, Map<number, number>>();
  let before = await fingerprint(db);
  const property = fc.asyncProperty(requests(known), async ({ operationId, method, url, headers, body }) => {
    const answer = await request(method, url, body, { ...headers, ...ADMIN });
    const after = await fingerprint(db);
    const told = `${method} ${url} ${JSON.stringify(headers)} ${String(body)} → ${answer.status} ${answer.text}`;
    assert.ok(answer.status < 500, told);
    if (answer.status >= 400) {
      assert.equal(after, before, `changed by a refusal: ${told}`);
      assert.ok(answer.body?.code in problems && answer.body.detail.length > 10, told);
      assert.equal(answer.headers['content-type'], 'application/problem+json; charset=utf-8', told);
    }
    before = after;
    const { id, startPort: made } = (answer.body ?? {}) as { id?: string; startPort?: number };
    // The newest range is empty for a while, so that it can be deleted; and there is room for one elsewhere.
    if (answer.status === 201 && made) startPort.push(1024 + ((made + 7000) % 60_000), made);
    if (answer.status === 201 && id) ids[MAKES[operationId] ?? 'allocations'].push(id);
    if (operationId === 'createWebhook' && answer.status === 201) {
      const project = (answer.body.projects as string[])[0] ?? '';
      const { rows } = await sql<{ id: string }>`
        insert into webhook_deliveries (webhook_id, position, type, project) values (${id}, 1, 'service.down', ${project})
        returning id`.execute(db);
      deliveryOf.set(id as string, rows[0]?.id as string);
      deliveryId.push(rows[0]?.id as string);
      before = await fingerprint(db);
    }
    if (operationId === 'auditPorts' && answer.status === 200 && id) ids.audits.push(id);
    // No delivery of a webhook that is switched off can be repeated.
    const ended = answer.body?.enabled === false ? 'webhooks' : ENDS[operationId];
    if (answer.status < 300 && ended) {
      const endedId = url.split('/')[3] ?? id ?? ''; // one that was made switched off is not in the URL
      toFront(ids[ended], endedId);
      toFront(deliveryId, deliveryOf.get(endedId));
    }
    const counts = outcomes.get(operationId) ?? new Map<number, number>();
    outcomes.set(operationId, counts.set(answer.status, (counts.get(answer.status) ?? 0) + 1));
  });
  t.comment(`FUZZ_SEED=${SEED}`);
  await holds(t, property, { seed: SEED, numRuns: RUNS, endOnFailure: true });
  for (const id of operationIds) {
    const counts = [...(outcomes.get(id) ?? [])].sort(([one], [other]) => one - other);
    const told = counts.map(([status, count]) => `${count} × ${status}`).join(', ');
    t.ok(
      counts.some(([status]) => status < 300),
      `${id} was done at least once: ${told}`,
    );
  }
});
