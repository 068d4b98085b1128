// A Cloudflare hostname stays with its project, and nobody who wanted it too gets it without a further step.
import { sql } from 'kysely';
import t from 'tap';
import { parse } from 'yaml';
import { makeApp, requester } from '../helpers/app.js';
import { databases, openPostgres, openReplicas } from '../helpers/database.js';

const HOSTNAME = 'www.corp.example';
const details = { cloudflareHostname: HOSTNAME };

for (const [name, open] of databases) {
  t.test(`hostnames, on ${name}`, async (t) => {
    const { db } = await open(t);
    const request = requester(await makeApp(t, { db }));
    const put = async (path: string, body: object = details) =>
      (await request('PUT', `/v1/projects/${path}`, body)).body;
    const patch = async (id: string, body: object) => (await request('PATCH', `/v1/allocations/${id}`, body)).body;
    const release = (id: string) => request('DELETE', `/v1/allocations/${id}`);
    const setCooldown = (startPort: number, reuseCooldownSeconds: number) =>
      request('PATCH', `/v1/ranges/${startPort}`, { reuseCooldownSeconds });
    /** Where the exports route the hostname; null for nowhere. */
    const routedTo = async (hostname = HOSTNAME) => {
      const { text } = await request('GET', '/v1/exports/cloudflared');
      const rule = parse(text).ingress.find((rule: { hostname?: string }) => rule.hostname === hostname);
      const { body } = await request('GET', '/v1/exports/traefik');
      const routers = Object.values<{ rule: string }>(body.http?.routers ?? {});
      t.equal(routers.filter(({ rule }) => rule === `Host(\`${hostname}\`)`).length, rule ? 1 : 0, 'Traefik too');
      return rule ? Number(rule.service.split(':').at(-1)) : null;
    };
    const namedInHeader = async () =>
      (await request('GET', '/v1/exports/cloudflared')).headers['x-duplicate-hostnames'] ?? '';
    const findings = async () =>
      (await request('POST', '/v1/audits', {})).body.conflicts.filter(
        ({ kind }: { kind: string }) => kind === 'duplicate-hostname',
      );

    await t.test('it is withheld from another project, and stays so when its owner has gone', async (t) => {
      const owner = await put('consilio/services/www');
      t.notOk('warnings' in owner);
      const other = await put('odin/services/www');
      t.match(other, { cloudflareHostname: HOSTNAME, warnings: [/not routed to this port: .* set it again then/] });
      t.equal(await routedTo(), 3100);
      t.equal(await namedInHeader(), HOSTNAME);
      const bothTold = await findings();
      t.match(bothTold, [
        { project: 'consilio', actual: /also odin\/www .*withheld from it since/ },
        { project: 'odin' },
      ]);

      await release(owner.id);
      t.equal(await routedTo(), null);
      t.equal(await namedInHeader(), HOSTNAME);
      t.match(await findings(), [
        { project: 'odin', port: 3300, actual: /^withheld since 20/, detail: /routed to nobody.*again/ },
      ]);
      await patch(other.id, { description: 'something else' });
      t.equal(await routedTo(), null, 'another change is no wish for the hostname');
      t.match((await request('GET', `/v1/allocations/${other.id}`)).body, { warnings: [/not routed/] });

      t.notOk('warnings' in (await patch(other.id, details)), 'the same value again');
      t.equal(await routedTo(), 3300);
      t.same(await findings(), []);
      const late = await put('consilio/services/www');
      t.ok(late.warnings, 'whoever had it before comes too late now');
      const listed = (await request('GET', `/v1/allocations?cloudflareHostname=${HOSTNAME}`)).body.items;
      t.same(
        listed.map(({ id }: { id: string }) => id),
        [late.id, other.id],
      );
      await release(other.id);
      t.notOk('warnings' in (await put('consilio/services/www')), 'a PUT of what is held looks again too');
      await release(late.id);
    });

    await t.test('within its project the next oldest inherits it', async (t) => {
      const first = await put('consilio/services/first');
      await put('consilio/services/second');
      await put('odin/services/www');
      await release(first.id);
      t.equal(await routedTo(), 3101);
      await request('DELETE', '/v1/projects/consilio/environments/default');
      await request('DELETE', '/v1/projects/odin/environments/default');
    });

    await t.test('it is kept for its project for the cooldown, however it was given up', async (t) => {
      await setCooldown(3100, 3600);
      const ways: Record<string, (id: string, port: number) => Promise<unknown>> = {
        'released by its id': (id) => release(id),
        'released with its environment': () => request('DELETE', '/v1/projects/consilio/environments/default'),
        'released by the SQL function': (_, port) => sql`select release_port(${port})`.execute(db),
        cleared: (id) => patch(id, { cloudflareHostname: null }),
        replaced: (id) => patch(id, { cloudflareHostname: 'other.corp.example' }),
      };
      for (const [way, giveUp] of Object.entries(ways)) {
        const { id, port } = await put('consilio/services/www');
        await giveUp(id, port);
        const other = await put('odin/services/www');
        t.ok(other.warnings, way);
        t.equal(await routedTo(), null, way);
        const again = await put('consilio/services/www');
        t.notOk('warnings' in again, `${way}: its project finds it again`);
        t.equal(await routedTo(), again.port, way);
        await release(other.id);
      }
      await request('DELETE', '/v1/projects/consilio/environments/default');
      await sql`update kept_hostnames set kept_until = clock_timestamp()`.execute(db);
      t.notOk('warnings' in (await put('odin/services/www')), 'its cooldown has passed');
      await setCooldown(3300, 3600);
      await request('DELETE', '/v1/projects/odin/environments/default');
      const { rows } = await sql<{ hostname: string; project: string }>`
        select hostname, project from kept_hostnames order by hostname`.execute(db);
      t.same(rows, [{ hostname: HOSTNAME, project: 'odin' }], 'what is kept no longer is removed');
    });

    await t.test('an environment, a claimed reservation and a further port are treated alike', async (t) => {
      const shared = { cloudflareHostname: 'shared.example' };
      const { port } = await put('consilio/services/shared', shared);
      const services = [{ service: 'one', ...shared }, { service: 'two' }];
      const { items } = await put('odin/environments/copy', { services });
      t.match(items, [{ warnings: [/not routed/] }, { service: 'two' }]);
      t.notOk('warnings' in items[1]);
      const { id } = (await request('POST', '/v1/projects/odin/reservations', { ttlSeconds: 60 })).body;
      const claimed = await request('POST', `/v1/reservations/${id}/claim`, { service: 'three', ...shared });
      t.match(claimed.body.warnings, [/not routed/]);
      const further = await request('POST', '/v1/projects/odin/allocations', { service: 'four', ...shared });
      t.match(further.body.warnings, [/not routed/]);
      t.equal(await routedTo('shared.example'), port);
    });
  });
}

t.test('of two projects that set one free hostname at the same moment, one has it', async (t) => {
  const [one, two] = await openReplicas(t);
  const ask = [requester(await makeApp(t, { db: one })), requester(await makeApp(t, { db: two }))] as const;
  const projects = ['consilio', 'odin', 'openhorizon', 'health-agent'];
  const rounds = 25;
  const hostnamesOf = (round: number) => [0, 1, 2].map((number) => `h${number}.r${round}.example`);
  for (let round = 0; round < rounds; round++) {
    // Each names the hostnames in another order, as batches do.
    const answers = await Promise.all(
      projects.map((project, place) => {
        const hostnames = place % 2 === 0 ? hostnamesOf(round) : hostnamesOf(round).reverse();
        const services = hostnames.map((cloudflareHostname, i) => ({ service: `s${i}`, cloudflareHostname }));
        const path = `/v1/projects/${project}/environments/r${round}`;
        return (ask[place % 2] as (typeof ask)[0])('PUT', path, { services });
      }),
    );
    for (const { status, text } of answers) t.equal(status, 201, text);
  }
  const { rows } = await sql<{ owners: number; withheld: number }>`
    select count(distinct project) filter (where hostname_withheld_at is null)::integer as owners,
           count(*) filter (where hostname_withheld_at is not null)::integer as withheld
    from port_allocations where cloudflare_hostname is not null group by cloudflare_hostname`.execute(one);
  t.equal(rows.length, 3 * rounds);
  t.ok(
    rows.every(({ owners, withheld }) => owners === 1 && withheld === projects.length - 1),
    JSON.stringify(rows),
  );
});

t.test('one allocation cannot keep any number of hostnames by setting one after another', async (t) => {
  const { db } = await openPostgres(t);
  const request = requester(await makeApp(t, { db }));
  await request('PATCH', '/v1/ranges/3300', { reuseCooldownSeconds: 3600 });
  const { body } = await request('PUT', '/v1/projects/odin/services/web');
  for (let i = 0; i <= 110; i++) {
    await request('PATCH', `/v1/allocations/${body.id}`, { cloudflareHostname: `n${i}.example` });
  }
  const { rows } = await sql<{ kept: number }>`select count(*)::integer as kept from kept_hostnames`.execute(db);
  t.same(rows, [{ kept: 100 }]);
  const taken = async (name: string) =>
    (await request('PUT', `/v1/projects/consilio/services/${name}`, { cloudflareHostname: `${name}.example` })).body;
  t.ok((await taken('n0')).warnings, 'the first ones are kept');
  t.notOk((await taken('n105')).warnings, 'those beyond the bound are free');
  t.ok((await taken('n110')).warnings, 'the one that the allocation has is not');
});

t.test('a change that sets no hostname waits for nobody who does', async (t) => {
  const { db } = await openPostgres(t);
  const request = requester(await makeApp(t, { db }));
  await db.transaction().execute(async (trx) => {
    await sql`
      select pg_advisory_xact_lock(hashtextextended('hostnames ' || n, current_schema()::regnamespace::oid::bigint))
      from generate_series(0, 63) n`.execute(trx);
    t.equal((await request('PUT', '/v1/projects/odin/services/web', { description: 'x' })).status, 201);
    const waiting = request('PUT', '/v1/projects/odin/services/www', details);
    const first = await Promise.race([waiting, new Promise((resolve) => setTimeout(resolve, 300, 'waits'))]);
    t.equal(first, 'waits');
  });
});
