// Clients in strict mode send null for every field that the model leaves out. Each tool gets every mix of absent, null,
// default and other values, and what was there before is looked for in the database. PROPERTY_SEED=… repeats a run.
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { type Kysely, sql } from 'kysely';
import t from 'tap';
import type { Tables } from '../../src/database/tables.js';
import type { Tool } from '../../src/mcp/tool.js';
import { tools } from '../../src/mcp/tools.js';
import { makeApp, requester } from '../helpers/app.js';
import { openPostgres } from '../helpers/database.js';
import { holds } from '../helpers/properties.js';
import { emptyRegistry, propertySeed } from '../helpers/registry.js';

const RUNS = 60;
const MAY_TAKE_AWAY = ['update-port', 'release-port', 'release-environment', 'cancel-reservation'];
const DETAILS = ['serviceType', 'description', 'cloudflareHostname', 'metadata'];

const database = await openPostgres(t);
const { db } = database;
const request = requester(await makeApp(t, database, { PROBE_TIMEOUT_MS: '50' }));

type Input = Record<string, unknown>;
interface Ids {
  allocation: string;
  reservation: string;
}

/** By field, its default first where it has one, and other values. */
const VALUES: Record<string, unknown[]> = {
  project: ['odin'],
  service: ['web', 'api'],
  services: [['web'], ['web', 'api']],
  environment: ['default', 'feature-x'],
  host: ['localhost', '127.0.0.1'],
  protocol: ['tcp', 'udp'],
  createProject: [false, true],
  port: [3310],
  prefer: [3311],
  status: ['allocated', 'any'],
  limit: [25, 1],
  unallocated: [false, true],
  maxAgeSeconds: [0, 600],
  ttlSeconds: [60],
  kind: ['project', 'shared'],
  startPort: [5000],
  items: [[{ port: 3312 }], [{ port: 3312, service: null, environment: null, host: null, protocol: null }]],
  dryRun: [false, true],
  serviceType: ['grpc'],
  description: ['other'],
  cloudflareHostname: ['other.example.com'],
  metadata: ['{"other":true}'],
  clear: [[], ['description'], ['metadata', 'serviceType']],
  reservedBy: ['agent'],
  reason: ['a reason'],
  reservationId: ['reservation'],
};
const IDS: Record<string, keyof Ids> = {
  'release-port': 'allocation',
  'update-port': 'allocation',
  'claim-reservation': 'reservation',
  'cancel-reservation': 'reservation',
};

const isId = (field: string): boolean => field === 'id' || field === 'reservationId';

/** An input in which each optional field is left out, null, or one of its values. An id is the name of one. */
function inputsOf({ name, input }: Tool): fc.Arbitrary<Input> {
  const fields = Object.keys(input.properties).map((field): [string, fc.Arbitrary<unknown>] => {
    const values = field === 'id' ? [IDS[name]] : VALUES[field];
    const some = values === undefined ? [] : [fc.constantFrom(...values)];
    const isRequired = input.required?.includes(field);
    return [field, isRequired ? fc.oneof(...some) : fc.oneof(fc.constant(undefined), fc.constant(null), ...some)];
  });
  return fc.record(Object.fromEntries(fields)) as fc.Arbitrary<Input>;
}

/** Two services that have everything that describes a port, in two environments, and a reservation. */
async function refill(): Promise<Ids> {
  await emptyRegistry(db);
  const ids: string[] = [];
  await request('POST', '/v1/ranges', { project: 'odin', startPort: 3300 });
  for (const [i, environment] of ['default', 'feature-x'].entries()) {
    const { body } = await request('PUT', `/v1/projects/odin/services/web?environment=${environment}`, {
      serviceType: 'http',
      description: 'The shop',
      cloudflareHostname: `web-${i}.example.com`,
      metadata: { team: 'core', nothing: null },
    });
    ids.push(body.id);
  }
  const { body } = await request('POST', '/v1/projects/odin/reservations', { ttlSeconds: 600, service: 'search' });
  return { allocation: ids[0] as string, reservation: body.id };
}

async function call(name: string, input: Input): Promise<void> {
  const message = { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name, arguments: input } };
  const { status } = await request('POST', '/mcp', message, { accept: 'application/json, text/event-stream' });
  assert.equal(status, 200);
}

interface Held {
  id: string;
  details: Record<string, unknown>;
}

/** What is held and what describes it, and the reservations that hold a port. */
async function readHeld(from: Kysely<Tables>): Promise<{ allocations: Held[]; reservations: string[] }> {
  const { rows: allocations } = await sql<Held>`
    select id::text, jsonb_build_object('serviceType', service_type, 'description', description,
      'cloudflareHostname', cloudflare_hostname, 'metadata', metadata) as details
    from port_allocations where released_at is null order by id`.execute(from);
  const { rows } = await sql<{ id: string }>`
    select id::text from port_reservations where status in ('active', 'claimed') order by id`.execute(from);
  return { allocations, reservations: rows.map(({ id }) => id) };
}

for (const tool of tools) {
  t.test(`${tool.name} takes away nothing by null`, async (t) => {
    const property = fc.asyncProperty(inputsOf(tool), async (given) => {
      const ids = await refill();
      const input = Object.fromEntries(
        Object.entries(given).map(([name, value]) => [name, isId(name) && value ? ids[value as keyof Ids] : value]),
      );
      const before = await readHeld(db);
      await call(tool.name, input);
      const after = await readHeld(db);
      const cleared = (input.clear ?? []) as string[];
      const mayChange =
        tool.name === 'update-port' ? DETAILS.filter((name) => input[name] != null || cleared.includes(name)) : [];
      for (const { id, details } of before.allocations) {
        const now = after.allocations.find((one) => one.id === id);
        assert.ok(now || tool.name.startsWith('release-'), 'it is still held');
        for (const name of DETAILS.filter((one) => now && !mayChange.includes(one))) {
          assert.deepEqual(now?.details[name], details[name], name);
        }
      }
      if (!MAY_TAKE_AWAY.includes(tool.name))
        assert.deepEqual(after.reservations.slice().sort().includes(ids.reservation), true);
    });
    await holds(t, property, { seed: propertySeed, numRuns: RUNS, endOnFailure: true });
  });
}
