import { sql } from 'kysely';
import t from 'tap';
import { parse, stringify } from 'yaml';
import { makeApp, requester } from '../helpers/app.js';
import { openPostgres } from '../helpers/database.js';

const ROWS = 4000;
const FORBIDDEN = ['169.254.169.254', '100.100.100.200', '168.63.129.16', 'fd00:ec2::254', '64:ff9b::a9fe:a9fe'];

t.test('exports that are larger than they are held as a whole', async (t) => {
  const { db } = await openPostgres(t);
  await sql`
    insert into port_ranges (start_port, end_port, project, kind)
    select port, port + 999, 'many', 'shared' from generate_series(20000, ${20000 + ROWS - 1000}::integer, 1000) port
  `.execute(db);
  await sql`
    insert into port_allocations (port, project, service, cloudflare_hostname, metadata)
    select port, 'many', 'service-' || port,
           case when port % 10 = 0 then '*.' else '' end || repeat('x', port % 50 + 1) || '.w' || port || repeat('y', 40)
             || '.' || repeat('z', 60) || '.example.com',
           '{"secret":"not exported"}'
    from generate_series(20000, ${20000 + ROWS - 1}::integer) port`.execute(db);
  const request = requester(await makeApp(t, { db }));
  const read = async (format: string, query = '') => {
    const answer = await request('GET', `/v1/exports/${format}${query}`);
    t.equal(answer.status, 200, answer.text.slice(0, 500));
    t.notMatch(answer.text, /not exported/);
    return answer;
  };

  t.test('they are whole, written as if at once, and have no ETag', async (t) => {
    for (const [format, count] of [
      ['prometheus', (body: unknown[]) => body.length],
      ['consul', (body: { services: unknown[] }) => body.services.length],
      ['traefik', (body: { http: { routers: object } }) => Object.keys(body.http.routers).length],
    ] as const) {
      const { text, body, headers } = await read(format);
      t.ok(text.length > 1024 * 1024, `${text.length} bytes`);
      t.equal(text, `${JSON.stringify(body, null, 2)}\n`, `${format} is written as JSON.stringify does`);
      t.equal(count(body), ROWS);
      t.equal(headers.etag, undefined);
    }
    const { http } = (await read('traefik')).body;
    t.same(Object.keys(http.routers), Object.keys(http.services));
  });

  t.test('cloudflared gets longer names first and wildcards last, over all pages', async (t) => {
    const { text } = await read('cloudflared');
    const rules: { hostname?: string }[] = parse(text).ingress;
    t.equal(text, stringify({ ingress: rules }, { lineWidth: 0 }));
    const names = rules.flatMap(({ hostname }) => hostname ?? []);
    t.equal(names.length, ROWS);
    const key = (name: string) =>
      `${name.startsWith('*') ? 1 : 0} ${String(1000 - name.length).padStart(4, '0')} ${name}`;
    t.same(
      names,
      [...names].sort((a, b) => (key(a) < key(b) ? -1 : 1)),
    );
    t.equal(rules.at(-1)?.hostname, undefined);
  });

  t.test('dotenv has every service, and refuses a conflict before the first line', async (t) => {
    const lines = (await read('dotenv')).text.trim().split('\n');
    t.equal(lines.length, ROWS);
    t.equal(lines[0], 'SERVICE_20000_PORT=20000');
    await request('PUT', '/v1/projects/odin/services/service-23999');
    const refused = await request('GET', '/v1/exports/dotenv');
    t.match(refused, { status: 409, body: { code: 'dotenv-name-conflict', detail: /^[^;]*SERVICE_23999_PORT/ } });
    await request('DELETE', '/v1/projects/odin/services/service-23999');
  });

  t.test('nothing is routed to or probed at an address that is never probed; a file of ports has them', async (t) => {
    for (const [i, host] of FORBIDDEN.entries()) {
      const details = { cloudflareHostname: `forbidden-${i}.example.com`, serviceType: 'ssh' };
      const path = `/v1/projects/odin/services/forbidden-${i}?host=${encodeURIComponent(host)}`;
      t.equal((await request('PUT', path, details)).status, 201);
    }
    await request('PUT', '/v1/projects/odin/services/fine?host=10.0.0.7', { cloudflareHostname: 'fine.example.com' });
    for (const format of ['cloudflared', 'prometheus', 'traefik', 'consul']) {
      const { text } = await read(format, '?project=odin');
      t.match(text, /10\.0\.0\.7/, format);
      t.notMatch(text, /forbidden/, format);
    }
    t.match((await read('dotenv', '?project=odin&host=169.254.169.254')).text, /^FORBIDDEN_0_PORT=3300\n$/);
  });
});
