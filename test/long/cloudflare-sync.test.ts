// The tunnel end to end: the app on a real database, and the stand-in for Cloudflare's API.

import { setTimeout as sleep } from 'node:timers/promises';
import { sql } from 'kysely';
import t, { type Test } from 'tap';
import type { Database } from '../../src/database/connect.js';
import { MARK } from '../../src/services/cloudflare/remote.js';
import { makeApp, requester } from '../helpers/app.js';
import { CLOUDFLARE, startCloudflare, TARGET, TOKEN, TUNNEL_ID } from '../helpers/cloudflare/api.js';
import { openEmbedded, openPostgres } from '../helpers/database.js';

type Open = (t: Test) => Promise<Database>;
const CATCH_ALL = { service: 'http_status:404' };

/** Every test is run on a database of its own, with these hostnames, of which the first is also claimed a second time. */
async function start(t: Test, open: Open) {
  const cloudflare = await startCloudflare(t);
  const database = await open(t);
  const app = await makeApp(t, database, CLOUDFLARE, null, { cloudflareUrl: cloudflare.url });
  const request = requester(app);
  const allocate = async (service: string, cloudflareHostname: string | null) => {
    const path = `/v1/projects/shop/services/${service}?createProject=true`;
    const { body } = await request('PUT', path, { cloudflareHostname });
    return body.port as number;
  };
  const plan = async () => (await request('GET', '/v1/cloudflare/plan')).body;
  const apply = () => request('POST', '/v1/cloudflare/apply');
  return { cloudflare, database, app, request, allocate, plan, apply };
}

const ours = (name: string) => ({ type: 'CNAME', name, content: TARGET, proxied: true, comment: MARK });

for (const [name, open] of [
  ['PostgreSQL', openPostgres],
  ['the embedded database', openEmbedded],
] as [string, Open][]) {
  t.test(`on ${name} hostnames get rules and records, follow their ports, and go`, async (t) => {
    const { cloudflare, allocate, plan, apply, request } = await start(t, open);
    cloudflare.config = {
      ingress: [{ hostname: 'blog.example.com', service: 'http://10.0.0.9:80' }, { service: 'http_status:503' }],
      originRequest: { connectTimeout: 10 },
    };
    const others = cloudflare.config;
    const mine = { type: 'A', name: 'www.example.com', content: '192.0.2.1', proxied: true, comment: 'mine' };
    cloudflare.add({ ...mine, zone: 'example.com' });
    const web = await allocate('web', 'shop.example.com');
    const all = await allocate('all', '*.example.com');
    await allocate('www', 'www.example.com');
    await allocate('blog', 'blog.example.com');
    await allocate('far', 'shop.elsewhere.net');
    const second = '/v1/projects/shop/allocations';
    await request('POST', second, { service: 'copy', cloudflareHostname: 'shop.example.com' });

    const planned = await plan();
    t.match(planned.conflicts.map(({ kind, hostname }: Record<string, string>) => `${kind} ${hostname}`).sort(), [
      'claimed-twice shop.example.com',
      'outside-zones shop.elsewhere.net',
      'record-of-others www.example.com',
      'rule-of-others blog.example.com',
    ]);
    t.equal(cloudflare.writes.length, 0, 'a plan changes nothing');
    const applied = await apply();
    t.equal(applied.status, 200, applied.text);
    t.strictSame(applied.body, planned);
    const rules = cloudflare.config?.ingress ?? [];
    t.strictSame(
      rules.map(({ hostname }) => hostname),
      ['shop.example.com', 'www.example.com', 'blog.example.com', '*.example.com', undefined],
    );
    t.match(rules[0], { service: `http://localhost:${web}` });
    t.match(rules[3], { service: `http://localhost:${all}` });
    t.strictSame([rules[2], rules[4]], others.ingress);
    t.strictSame(cloudflare.config?.originRequest, others.originRequest);
    t.match(cloudflare.records, [mine, ours('shop.example.com'), ours('*.example.com')]);
    t.strictSame((await apply()).body.changes, []);
    t.equal(cloudflare.writes.length, 3, 'the second pass wrote nothing');

    await request('DELETE', '/v1/projects/shop/services/web');
    await request('DELETE', '/v1/projects/shop/services/copy');
    cloudflare.requests.length = 0;
    t.strictSame(
      (await apply()).body.changes.map(({ action, kind }: Record<string, string>) => `${action} ${kind}`),
      ['delete record', 'delete rule'],
    );
    t.match(cloudflare.writes, [/^DELETE/, /^PUT/]);
    await request('DELETE', '/v1/projects/shop/environments/default');
    await apply();
    t.strictSame(cloudflare.config, others);
    t.match(cloudflare.records, [mine]);
    t.match((await request('GET', '/v1/cloudflare')).body, { configured: true, pendingChanges: 0, lastError: null });
  });
}

t.test('a rule follows the port of its hostname, and the record stays', async (t) => {
  const { cloudflare, allocate, apply, request } = await start(t, openPostgres);
  const port = await allocate('web', 'shop.example.com');
  await apply();
  const { config, records } = cloudflare;
  t.match(config?.ingress, [{ hostname: 'shop.example.com', service: `http://localhost:${port}` }, CATCH_ALL]);
  await request('DELETE', '/v1/projects/shop/services/web');
  const moved = port + 7;
  const again = { service: 'web', cloudflareHostname: 'shop.example.com', port: moved };
  t.equal((await request('POST', '/v1/projects/shop/allocations', again)).body.port, moved);
  cloudflare.requests.length = 0;
  t.match((await apply()).body, { changes: [{ action: 'update', kind: 'rule' }], conflicts: [] });
  t.match(cloudflare.config?.ingress, [{ service: `http://localhost:${moved}` }, CATCH_ALL]);
  t.match(cloudflare.writes, [/^PUT/]);
  t.strictSame(cloudflare.records, records);
});

t.test('a record behind the first thousand of its zone is found', async (t) => {
  const { cloudflare, allocate, plan, apply } = await start(t, openPostgres);
  for (let i = 0; i < 1000; i += 1) {
    const name = `txt-${i}.example.com`;
    cloudflare.add({ type: 'TXT', name, content: '"x"', proxied: false, comment: null, zone: 'example.com' });
  }
  await allocate('web', 'shop.example.com');
  await apply();
  t.match(cloudflare.records[1000], ours('shop.example.com'));
  t.strictSame(await plan(), { tunnelId: TUNNEL_ID, changes: [], conflicts: [] });
});

t.test('metrics tell what a pass has done and what it has left', async (t) => {
  const { cloudflare, allocate, apply, request } = await start(t, openPostgres);
  const read = async () => {
    await sleep(1050); // the text is made once a second
    const { text } = await request('GET', '/metrics');
    const value = (name: string) => Number(text.split(`\nport_allocator_cloudflare_${name} `)[1]?.split('\n')[0]);
    const count = (outcome: string) => value(`passes_total{outcome="${outcome}"}`) || 0;
    const succeededAt = value('last_success_timestamp_seconds');
    return { succeeded: count('succeeded'), failed: count('failed'), pending: value('pending_changes'), succeededAt };
  };
  await allocate('web', 'shop.example.com');
  for (const [failed, on] of [/^PUT/, /^GET/].entries()) {
    cloudflare.faults.push({ on, status: 503 });
    t.equal((await apply()).status, 502);
    // The second pass could read nothing, and so still tells what the first one has left: the rule and the record.
    t.strictSame(await read(), { succeeded: 0, failed: failed + 1, pending: 2, succeededAt: 0 });
  }
  const before = Date.now() / 1000;
  t.equal((await apply()).status, 200);
  const { succeededAt, ...counts } = await read();
  t.strictSame(counts, { succeeded: 1, failed: 2, pending: 0 });
  t.ok(succeededAt >= before && succeededAt <= Date.now() / 1000, `${before} ${succeededAt}`);
});

t.test('what others change between reading and writing is kept', async (t) => {
  const { cloudflare, allocate, apply } = await start(t, openPostgres);
  await allocate('web', 'shop.example.com');
  const theirs = { hostname: 'new.example.com', service: 'http://10.0.0.5:80' };
  cloudflare.faults.push({
    on: /^GET .*configurations/,
    after: () => cloudflare.replace({ ingress: [theirs, CATCH_ALL] }),
  });
  t.equal((await apply()).status, 200);
  t.strictSame(cloudflare.config?.ingress?.slice(1), [theirs, CATCH_ALL]);
  t.equal(cloudflare.config?.ingress?.[0]?.hostname, 'shop.example.com');
});

t.test('a change of others at the moment of the writing is told', async (t) => {
  const { cloudflare, allocate, apply } = await start(t, openPostgres);
  await allocate('web', 'shop.example.com');
  cloudflare.faults.push({ on: /^PUT/, before: () => cloudflare.replace({ ingress: [CATCH_ALL] }) });
  t.match((await apply()).body.conflicts, [{ kind: 'overwritten', hostname: '', detail: /version 1 to 3/ }]);
});

t.test('a 5xx in the middle, or an answer that never comes, is completed by the next pass', async (t) => {
  for (const fault of [{ status: 503 }, { breaksAfter: true }]) {
    for (const on of [/^PUT/, /^POST/, /^GET .*dns_records/]) {
      await t.test(`${on} ${JSON.stringify(fault)}`, async (t) => {
        const { cloudflare, allocate, apply, request } = await start(t, openPostgres);
        await allocate('web', 'shop.example.com');
        cloudflare.faults.push({ on, ...fault });
        const failed = await apply();
        t.match(failed, { status: 502, body: { code: 'cloudflare-unavailable' }, headers: { 'retry-after': /^\d+$/ } });
        t.match((await request('GET', '/v1/cloudflare')).body, { lastError: /Cloudflare/, lastSuccessAt: null });
        t.equal((await apply()).status, 200);
        t.match(cloudflare.config?.ingress, [{ hostname: 'shop.example.com' }, CATCH_ALL]);
        t.match(cloudflare.records, [ours('shop.example.com')]);
        t.equal(cloudflare.records.length, 1);
        await request('DELETE', '/v1/projects/shop/services/web');
        await apply();
        t.strictSame([cloudflare.config, cloudflare.records], [{ ingress: [CATCH_ALL] }, []]);
      });
    }
  }
});

t.test('a replica whose clock is late makes passes too', async (t) => {
  const { database, allocate, apply } = await start(t, openPostgres);
  await allocate('web', 'shop.example.com');
  t.equal((await apply()).status, 200);
  await sql`update leases set occurrence = clock_timestamp() + interval '1 hour' where name = 'cloudflare'`.execute(
    database.db,
  );
  t.equal((await apply()).status, 200, 'the pass before was made by a replica whose clock is an hour ahead');
});

t.test('a record that Cloudflare refuses holds up nothing else', async (t) => {
  const { cloudflare, allocate, apply } = await start(t, openPostgres);
  await allocate('a', 'a.example.com');
  await allocate('b', 'b.example.com');
  cloudflare.faults.push({ on: /^POST/, status: 400, message: 'No room' });
  const { body } = await apply();
  t.match(body.conflicts, [{ kind: 'refused', hostname: 'a.example.com', detail: /No room/ }]);
  t.equal(cloudflare.records.length, 1);
});

t.test('the token is in no answer and in no row, not even where Cloudflare repeats it', async (t) => {
  const { cloudflare, allocate, apply, request, database } = await start(t, openPostgres);
  await allocate('web', 'shop.example.com');
  cloudflare.faults.push({ on: /^GET/, status: 403, message: `The token ${TOKEN} may not do that` });
  const texts = [(await apply()).text, (await request('GET', '/v1/cloudflare')).text, (await apply()).text];
  const { db } = database;
  texts.push(JSON.stringify(await db.selectFrom('cloudflare_tunnels').selectAll().execute()));
  await request('GET', '/v1/projects');
  texts.push(JSON.stringify(await db.selectFrom('new_events').selectAll().execute()));
  texts.push(JSON.stringify(await db.selectFrom('events').selectAll().execute()));
  texts.push((await request('GET', '/metrics')).text);
  t.match(texts[0], /The token … may not do that/);
  for (const text of texts) t.notMatch(text, TOKEN.slice(0, 16));
});

t.test('where no tunnel is configured that is told, and nothing fails', async (t) => {
  const request = requester(await makeApp(t, await openEmbedded(t)));
  t.match(await request('GET', '/v1/cloudflare'), { status: 200, body: { configured: false, tunnelId: null } });
  for (const [method, path] of [
    ['GET', 'plan'],
    ['POST', 'apply'],
  ] as const) {
    const answer = await request(method, `/v1/cloudflare/${path}`);
    t.match(answer, { status: 409, body: { code: 'cloudflare-not-configured' } });
  }
});

t.test('settings of a shell for the SDK reach nobody', async (t) => {
  const { cloudflare, apply } = await start(t, openPostgres);
  const set = { CLOUDFLARE_BASE_URL: 'http://127.0.0.1:9', CLOUDFLARE_API_KEY: 'x', CLOUDFLARE_EMAIL: 'x@example.com' };
  Object.assign(process.env, set, {
    CLOUDFLARE_CUSTOM_HEADERS: 'Authorization: Bearer other',
    CLOUDFLARE_LOG: 'debug',
  });
  t.teardown(() => {
    for (const name of [...Object.keys(set), 'CLOUDFLARE_CUSTOM_HEADERS', 'CLOUDFLARE_LOG']) delete process.env[name];
  });
  t.equal((await apply()).status, 200);
  t.ok(cloudflare.requests.length > 0);
});
