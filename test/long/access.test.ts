// Every operation of the contract and every MCP tool, by every kind of caller.
import { sql } from 'kysely';
import t, { type Test } from 'tap';
import { renderContract } from '../../scripts/contract.js';
import { tools } from '../../src/mcp/tools.js';
import {
  EXAMPLE,
  type Fixture,
  type ForOthers,
  operations,
  otherRoutes,
  type ToolUse,
  toolUses,
} from '../helpers/access-cases.js';
import { makeApp, requester } from '../helpers/app.js';
import { CLOUDFLARE, startCloudflare } from '../helpers/cloudflare/api.js';
import { openPostgres } from '../helpers/database.js';
import { ADMIN, ADMIN_KEY, bearer, expireKey, makeKey, WITH_KEYS } from '../helpers/keys.js';
import { readRegistry } from '../helpers/rows.js';

t.setTimeout(180_000);

const database = await openPostgres(t);
const { db } = database;
const { url: cloudflareUrl } = await startCloudflare(t);
const request = requester(await makeApp(t, database, { ...WITH_KEYS, ...CLOUDFLARE }, null, { cloudflareUrl }));

const keys = {
  expired: await makeKey(request, 'admin'),
  revoked: await makeKey(request, 'admin'),
  reader: await makeKey(request, 'reader'),
  other: await makeKey(request, 'project', 'openhorizon'),
  right: await makeKey(request, 'project', 'consilio', 'odin'),
};
await expireKey(database, keys.expired.id);
await request('DELETE', `/v1/api-keys/${keys.revoked.id}`, undefined, ADMIN);
const strangers = {
  'no key': null,
  'a wrong key': `${keys.right.key.slice(0, -1)}${keys.right.key.endsWith('A') ? 'B' : 'A'}`,
  'an unknown key': `pa_${'0'.repeat(32)}_${'A'.repeat(43)}`,
  'an expired key': keys.expired.key,
  'a revoked key': keys.revoked.key,
};

/** Creates the objects of consilio. Each contains the word `hush`, which callers without access must never read. */
async function makeFixture(): Promise<Fixture> {
  const details = { description: 'hush', cloudflareHostname: 'hush.example.com', metadata: { hush: true } };
  const send = async (method: 'PUT' | 'POST', path: string, body: object) =>
    (await request(method, path, body, ADMIN)).body;
  await request('DELETE', '/v1/projects/consilio/environments/default', undefined, ADMIN);
  const allocation = await send('PUT', '/v1/projects/consilio/services/hush', details);
  const wanted = { ttlSeconds: 600, service: 'hush', reason: 'hush' };
  await sql`update port_reservations set status = 'cancelled', ended_at = clock_timestamp() where status = 'active'`.execute(
    db,
  );
  const reservation = await send('POST', '/v1/projects/consilio/reservations', wanted);
  await sql`delete from port_ranges where start_port >= 20000`.execute(db);
  const range = await send('POST', '/v1/ranges', { project: 'consilio', startPort: 20000, description: 'hush' });
  const audit = await send('POST', '/v1/audits', { project: 'consilio' });
  const apiKey = await makeKey(request, 'reader');
  await sql`delete from webhooks`.execute(db);
  const webhook = await send('POST', '/v1/webhooks', {
    url: 'http://localhost:1/hush',
    projects: ['consilio'],
    description: 'hush',
  });
  const { rows } = await sql<{ id: string }>`
    insert into webhook_deliveries (webhook_id, position, type, project, error)
    values (${webhook.id}, 1, 'service.down', 'consilio', 'hush') returning id`.execute(db);
  return {
    allocation: allocation.id,
    reservation: reservation.id,
    audit: audit.id,
    apiKey: apiKey.id,
    webhook: webhook.id,
    delivery: rows[0]?.id ?? '',
    emptyRange: range.startPort,
  };
}

/** Everything that a refusal must not change. */
async function readAll(): Promise<string> {
  const { rows } = await sql<{ state: string }>`
    select jsonb_build_object(
      'checks', (select count(*) from port_health_checks),
      'keys', (select jsonb_agg(k.id order by k.id) from api_keys k))::text as state`.execute(db);
  return `${await readRegistry(db)} ${rows[0]?.state}`;
}

interface Told {
  status: number;
  text: string;
  code?: string;
  detail?: string;
}
/** One operation, called with a key on the objects of the fixture, over any transport. */
type Call = (key: string | null, fixture: Fixture) => Promise<Told>;
type Rule = Pick<ToolUse, 'allowed' | 'others'>;

const OTHERS: Record<ForOthers, (t: Test, told: Told, unknown: Told) => void> = {
  open: (t, told) => t.ok(told.status < 300),
  hidden(t, told, unknown) {
    t.equal(told.status, 404);
    t.strictSame([told.code, told.detail], [unknown.code, unknown.detail], 'as if it did not exist');
  },
  refused: (t, told) => t.equal(told.code, 'forbidden', told.text),
  filtered(t, told) {
    t.ok(told.status < 300, told.text);
    t.notMatch(told.text, /consilio/);
  },
  named(t, told) {
    t.ok(told.status < 300, told.text);
    t.match(told.text, /consilio/);
  },
};

async function check(t: Test, { allowed, others }: Rule, call: Call): Promise<void> {
  const fixture = await makeFixture();
  const before = await readAll();
  for (const [name, key] of Object.entries(strangers)) {
    const told = await call(key, fixture);
    if (allowed === 'anyone') t.ok(told.status < 300, name);
    else t.equal(told.code, 'unauthorized', name);
  }
  const reads = allowed === 'anyone' || allowed === 'keys' || allowed === 'all-seeing';
  const byReader = await call(keys.reader.key, fixture);
  if (reads) t.ok(byReader.status < 300, `a reader: ${byReader.text}`);
  else t.equal(byReader.code, 'forbidden', 'a reader');

  const byOther = await call(keys.other.key, fixture);
  OTHERS[others](t, byOther, await call(keys.other.key, EXAMPLE));
  t.notMatch(byOther.text, /hush/, 'the key of another project hears nothing');
  t.equal(await readAll(), before, 'nobody of these changed anything');

  const byRight = await call(keys.right.key, await makeFixture());
  if (allowed === 'admins' || allowed === 'all-seeing') t.equal(byRight.code, 'forbidden', 'the right project’s key');
  else t.ok(byRight.status < 300, `the right project’s key: ${byRight.text}`);
  const byAdmin = await call(ADMIN_KEY, await makeFixture());
  t.ok(byAdmin.status < 300, `an administrator: ${byAdmin.text}`);
}

t.test('every operation of the contract', async (t) => {
  const { paths } = JSON.parse((await renderContract()).json) as { paths: Record<string, Record<string, object>> };
  const all = Object.values(paths).flatMap((path) =>
    Object.values(path).map((operation) => (operation as { operationId: string }).operationId),
  );
  t.same(
    all.filter((id) => !(id in operations)),
    [],
    'these are missing: add each to `operations` in test/helpers/access-cases.ts, with who may do it and what another project’s key gets',
  );
  t.same(
    Object.keys(operations).filter((id) => !all.includes(id)),
    [],
    'these are no operations of the contract (any more): take them out of test/helpers/access-cases.ts',
  );
  for (const [id, operation] of Object.entries({ ...operations, ...otherRoutes })) {
    const { method, path, body } = operation;
    const call: Call = async (key, fixture) => {
      const url = path(fixture);
      const headers: Record<string, string> = key === null ? {} : bearer(key);
      const answer = await request(method, url, body, headers);
      const text = answer.text.replaceAll(url, ''); // a problem document contains the requested path
      const detail = answer.body?.detail?.replaceAll(/[0-9a-f-]{36}/g, '<id>');
      return { status: answer.status, text, code: answer.body?.code, detail };
    };
    await t.test(id, (t) => check(t, operation, call));
  }
});

/** Converts the answer of a tool to the answer that REST would have given. */
function read(result: { isError?: boolean; content: { text?: string }[]; structuredContent?: object }): Told {
  const text = result.content[0]?.text ?? '';
  if (!result.isError) return { status: 200, text: `${text}\n${JSON.stringify(result.structuredContent)}` };
  const [, code = '', detail = ''] = /^([a-z-]+): (.*)/.exec(text) ?? [];
  const status = code.endsWith('-not-found') ? 404 : 400;
  return { status, text, code, detail: detail.replaceAll(/[0-9a-f-]{36}/g, '<id>') };
}

t.test('every MCP tool', async (t) => {
  const names = tools.map(({ name }) => name);
  t.same(
    names.filter((name) => !(name in toolUses)),
    [],
    'these are missing: add each to `toolUses` in test/helpers/access-cases.ts, with who may use it and what another project’s key gets',
  );
  t.same(
    Object.keys(toolUses).filter((name) => !names.includes(name)),
    [],
    'these are no tools (any more): take them out of test/helpers/access-cases.ts',
  );
  for (const [name, use] of Object.entries(toolUses)) {
    const call: Call = async (key, fixture) => {
      const params = { name, arguments: use.input(fixture) };
      const accept = { accept: 'application/json, text/event-stream' };
      const headers = key === null ? accept : { ...accept, ...bearer(key) };
      const answer = await request('POST', '/mcp', { jsonrpc: '2.0', id: 1, method: 'tools/call', params }, headers);
      if (answer.status !== 200) return { status: answer.status, text: answer.text, code: answer.body?.code };
      const message = answer.body ?? JSON.parse(/^data: (.*)$/m.exec(answer.text)?.[1] ?? '{}');
      return read(message.result);
    };
    await t.test(name, (t) => check(t, use, call));
  }
});
