// Clients in strict mode send null for every field that the model leaves out. Each tool gets every mix of absent, null,
// default and other values. The answer and everything in the database must be the same as without the nulls, and nothing
// may be taken away that the input does not name. PROPERTY_SEED=… repeats a run.
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { sql } from 'kysely';
import t from 'tap';
import type { Tool } from '../../src/mcp/tool.js';
import { tools } from '../../src/mcp/tools.js';
import { makeApp, requester } from '../helpers/app.js';
import { openPostgres } from '../helpers/database.js';
import { makeRepository } from '../helpers/git.js';
import { holds } from '../helpers/properties.js';
import { emptyRegistry, propertySeed } from '../helpers/registry.js';

const RUNS = 40;
const DETAILS = ['serviceType', 'description', 'cloudflareHostname', 'metadata'];
const ALLOCATION = '00000000-0000-4000-8000-000000000001';
const RESERVATION = '00000000-0000-4000-8000-000000000002';

const database = await openPostgres(t);
const { db } = database;
const request = requester(await makeApp(t, database, { PROBE_TIMEOUT_MS: '2000', RATE_LIMIT_PER_MINUTE: '0' }));

type Input = Record<string, unknown>;
type Row = Record<string, unknown>;

/** By field, its default first where it has one, and other values. A text "null" is a text like any other. */
const VALUES: Record<string, unknown[]> = {
  id: [ALLOCATION],
  project: ['odin'],
  cwd: [makeRepository(t, 'odin')],
  service: ['web', 'api'],
  services: [['web'], ['web', 'api'], ['web', null]],
  environment: ['default', 'feature-x', 'null'],
  host: ['localhost', '127.0.0.1'],
  protocol: ['tcp', 'udp'],
  createProject: [false, true],
  port: [3310],
  prefer: [3311],
  status: ['allocated', 'any'],
  cloudflareHostname: ['other.example.com'],
  limit: [25, 1],
  unallocated: [false, true],
  maxAgeSeconds: [0, 600],
  ttlSeconds: [60],
  kind: ['project', 'shared'],
  startPort: [5000],
  items: [[{ port: 3312 }], [{ port: 3312, service: null, environment: null, host: null, protocol: null }], [null]],
  dryRun: [false, true],
  serviceType: ['grpc', 'null'],
  description: ['other', 'null'],
  metadata: ['{"other":true}', '{"other":null}', 'null'],
  clear: [[], ['description'], ['metadata', 'serviceType'], ['description', null]],
  reservedBy: ['agent'],
  reason: ['a reason'],
  reservationId: [RESERVATION],
};

/** An input in which each optional field is left out, null, or one of its values. */
function inputsOf({ name, input }: Tool): fc.Arbitrary<Input> {
  const fields = Object.keys(input.properties).map((field): [string, fc.Arbitrary<unknown>] => {
    const values = field === 'id' && name.endsWith('-reservation') ? [RESERVATION] : VALUES[field];
    const some = values === undefined ? [] : [fc.constantFrom(...values)];
    const isRequired = input.required?.includes(field);
    return [field, isRequired ? fc.oneof(...some) : fc.oneof(fc.constant(undefined), fc.constant(null), ...some)];
  });
  return fc.record(Object.fromEntries(fields)) as fc.Arbitrary<Input>;
}

function withoutNulls(input: Input): Input {
  const isItem = (value: unknown): value is Input =>
    typeof value === 'object' && value !== null && !Array.isArray(value);
  return Object.fromEntries(
    Object.entries(input)
      .filter(([, value]) => value !== null)
      .map(([name, value]) => [
        name,
        Array.isArray(value) ? value.map((item) => (isItem(item) ? withoutNulls(item) : item)) : value,
      ]),
  );
}

/** Something of everything that the registry keeps. */
async function refill(): Promise<void> {
  await emptyRegistry(db);
  await sql`truncate api_keys, port_audits`.execute(db);
  await sql`delete from excluded_ports where port = 3399`.execute(db);
  for (const statement of [
    sql`insert into port_ranges (start_port, end_port, project, description) values (3300, 3399, 'odin', 'a'), (3400, 3499, 'thor', 'b')`,
    sql`insert into port_allocations
          (id, port, project, service, environment, protocol, service_type, description, cloudflare_hostname, metadata)
        select coalesce(id, gen_random_uuid()), port, project, service, environment, protocol, 'http', 'The shop',
          port || '.example.com', '{"team": "core", "nothing": null}'
        from (values (${ALLOCATION}::uuid, 3300, 'odin', 'web', 'default', 'tcp'), (null, 3301, 'odin', 'web', 'feature-x', 'tcp'),
          (null, 3302, 'odin', 'api', 'default', 'tcp'), (null, 3303, 'odin', 'web', 'default', 'udp'),
          (null, 3400, 'thor', 'web', 'default', 'tcp')) v (id, port, project, service, environment, protocol)`,
    sql`insert into environments (project, environment, path) values ('odin', 'feature-x', '/srv/odin-x')`,
    sql`insert into port_reservations (id, port, project, service, reason, expires_at)
        values (${RESERVATION}, 3390, 'odin', 'search', 'soon', now() + interval '1 hour')`,
    sql`insert into excluded_ports (port, reason) values (3399, 'a printer')`,
    sql`insert into api_keys (name, role, hash, created_by) values ('a', 'reader', decode(repeat('00', 32), 'hex'), 'b')`,
    sql`insert into port_audits (unallocated, fully_probed_hosts, requested_by, checked_at, duration_ms, allocated, in_use,
          not_running, checked_ports, conflicts) values (false, '{}', 'a', now() - interval '1 day', 1, 1, 0, 1, 1, '[]')`,
  ]) {
    await statement.execute(db);
  }
}

/** Every row of every table that keeps something, without what differs each time. */
async function readState(): Promise<{ table: string; row: Row }[]> {
  const parts = Object.entries({
    port_ranges: 'r.start_port',
    port_allocations: 'r.port, r.allocated_at',
    port_reservations: 'r.port, r.created_at',
    environments: 'r.environment',
    excluded_ports: 'r.port',
    kept_hostnames: 'r.hostname',
    idempotency_keys: 'r.key',
    api_keys: 'r.name',
    port_audits: 'r.checked_at',
  }).map(
    ([table, order]) =>
      sql`select ${sql.lit(table)} as table, to_jsonb(r) as row, row_number() over (order by ${sql.raw(order)}) as n from ${sql.table(table)} r`,
  );
  const { rows } = await sql<{ table: string; row: Row }>`
    select "table", row from (${sql.join(parts, sql` union all `)}) s order by "table", n`.execute(db);
  const passing = (name: string) => /(^id|_id|_at|until|duration_ms|json_bytes|conflicts)$/.test(name);
  return rows.map(({ table, row }) => ({
    table,
    row: Object.fromEntries(Object.entries(row).filter(([name]) => !passing(name))),
  }));
}

/** @returns what is said, without ids and times */
async function call(name: string, input: Input | null): Promise<string> {
  const message = { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name, arguments: input } };
  const { status, text } = await request('POST', '/mcp', message, { accept: 'application/json, text/event-stream' });
  assert.equal(status, 200, text);
  return text.replace(/[0-9a-f]{8}-[0-9a-f-]{27}|\d{4}-\d\d-\d\dT[\d:.]+Z|"durationMs":\d+|"ageSeconds":\d+/g, '…');
}

/** What the input says that the tool may do to a row. */
function mayChange(name: string, input: Input, table: string, row: Row): readonly string[] | 'all' {
  const isOfPlace =
    row.project === 'odin' &&
    row.environment === (input.environment ?? 'default') &&
    (table !== 'port_allocations' || row.protocol === (input.protocol ?? 'tcp'));
  const isNamed = input.id != null ? row.port === 3300 : isOfPlace && row.service === input.service;
  if (table === 'environments' && name.startsWith('release-')) return isOfPlace ? 'all' : [];
  const isReservationNamed = /^(claim|cancel)-reservation$/.test(name) || input.reservationId != null;
  if (table === 'port_reservations' && isReservationNamed) return ['status'];
  if (table !== 'port_allocations') return [];
  if (name === 'release-environment') return isOfPlace ? ['status', 'released_by'] : [];
  if (!isNamed) return name === 'audit-ports' ? ['status'] : [];
  if (name === 'release-port') return ['status', 'released_by'];
  if (name === 'audit-ports') return ['status'];
  if (name !== 'update-port') return [];
  const cleared = (input.clear ?? []) as unknown[];
  const changed = DETAILS.filter((detail) => input[detail] != null || cleared.includes(detail));
  return changed.map((detail) => detail.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`));
}

const identityOf = ({ table, row }: { table: string; row: Row }) =>
  [table, row.start_port, row.port, row.project, row.environment, row.service, row.protocol, row.name].join();

for (const tool of tools) {
  t.test(`to ${tool.name}, null is the same as absent, and takes away nothing`, async (t) => {
    const property = fc.asyncProperty(inputsOf(tool), async (input) => {
      await refill();
      const before = await readState();
      const said = await call(tool.name, input);
      const after = await readState();
      for (const { table, row } of before) {
        const may = mayChange(tool.name, input, table, row);
        const now = after.find((one) => identityOf(one) === identityOf({ table, row }));
        assert.ok(now || may === 'all', `${identityOf({ table, row })} is gone`);
        if (!now || may === 'all') continue;
        for (const [column, value] of Object.entries(row)) {
          if (!may.includes(column)) assert.deepEqual(now.row[column], value, `${column} of ${identityOf(now)}`);
        }
      }
      await refill();
      assert.equal(said, await call(tool.name, withoutNulls(input)));
      assert.deepEqual(after, await readState());
    });
    await holds(t, property, { seed: propertySeed, numRuns: RUNS, endOnFailure: true });
  });
}

t.test('null in place of all arguments', async (t) => {
  await refill();
  const before = await readState();
  for (const { name, input } of tools.filter((tool) => tool.input.required?.length)) {
    t.match(await call(name, null), /validation-failed|invalid/i, `${name}: ${input.required}`);
  }
  t.same(await readState(), before);
});
