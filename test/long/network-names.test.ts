// Keys that are limited to some hosts and to some Cloudflare hostnames.
import t from 'tap';
import { makeApp, requester } from '../helpers/app.js';
import { databases, openPostgres } from '../helpers/database.js';
import { ADMIN, bearer, makeKey, WITH_KEYS } from '../helpers/keys.js';
import { assertInvalid, assertProblem } from '../helpers/problems.js';

const METADATA = '169.254.169.254';
const FOREIGN = 'www.corp.example';
const LIMITS = { hostnames: ['shop.example', 'only.example'], hosts: ['localhost', '10.0.0.7'] };

for (const [name, open] of databases) {
  t.test(`limited keys, on ${name}`, async (t) => {
    const request = requester(await makeApp(t, await open(t), WITH_KEYS));
    const wanted = { name: 'limited', role: 'project', projects: ['odin'] };
    const create = (body: object) => request('POST', '/v1/api-keys', body, ADMIN);

    await t.test('a key says to what it is limited, in the form in which names are stored', async (t) => {
      const given = { hostnames: ['Shop.Example'], hosts: ['127.0.0.1', '[FD00::7]'] };
      const { body } = await create({ ...wanted, ...given });
      t.match(body, { hostnames: ['shop.example'], hosts: ['localhost', 'fd00::7'] });
      const { key, ...rest } = body;
      t.same((await request('GET', '/v1/api-keys', undefined, ADMIN)).body.items.at(-1), rest);
      t.match((await create(wanted)).body, { hostnames: null, hosts: null });
      t.match((await create({ ...wanted, hostnames: null, hosts: null })).body, { hostnames: null, hosts: null });
      t.match((await create({ name: 'admin', role: 'admin', hosts: null })).body, { hostnames: null, hosts: null });
    });

    await t.test('limits that mean nothing are refused', async (t) => {
      for (const role of ['admin', 'reader']) {
        assertInvalid(t, await create({ name: role, role, hostnames: ['shop.example'] }), '/hostnames');
        assertInvalid(t, await create({ name: role, role, hosts: ['localhost'] }), '/hosts');
      }
      assertInvalid(t, await create({ ...wanted, hostnames: ['*.shop.example'] }), '/hostnames/0');
      assertInvalid(t, await create({ ...wanted, hostnames: ['https://shop.example'] }), '/hostnames/0');
      assertInvalid(t, await create({ ...wanted, hosts: ['no host'] }), '/hosts/0');
      assertInvalid(t, await create({ ...wanted, hosts: [] }), '/hosts');
    });
  });
}

t.test('what a limited key may do', async (t) => {
  const request = requester(await makeApp(t, await openPostgres(t), WITH_KEYS));
  const wanted = { name: 'limited', role: 'project', projects: ['odin'], ...LIMITS };
  const key = bearer((await request('POST', '/v1/api-keys', wanted, ADMIN)).body.key);
  const unlimited = bearer((await makeKey(request, 'project', 'odin')).key);
  const ask = (method: 'GET' | 'PUT' | 'POST' | 'PATCH' | 'DELETE', path: string, body?: object, who = key) =>
    request(method, `/v1/${path}`, body, who);
  const put = (service: string, body: object, query = '') =>
    ask('PUT', `projects/odin/services/${service}?${query}`, body);
  const held = (await ask('PUT', 'projects/odin/services/held', {})).body;
  /** Held on a host and with a hostname that the key does not cover. */
  const beyond = (
    await ask(
      'PUT',
      `projects/odin/services/beyond?host=${METADATA}`,
      { cloudflareHostname: FOREIGN, serviceType: 'ssh' },
      unlimited,
    )
  ).body;
  const reserve = (host: string, who = key) =>
    ask('POST', 'projects/odin/reservations', { ttlSeconds: 600, host, service: 'r' }, who);

  await t.test('it sets its hostnames, those below them, and wildcards', async (t) => {
    const may = ['shop.example', 'a.shop.example', 'a.b.shop.example', '*.shop.example', '*.b.shop.example'];
    for (const cloudflareHostname of [...may, 'A.SHOP.example', null]) {
      t.equal((await put('held', { cloudflareHostname })).status, 200, `${cloudflareHostname}`);
    }
    for (const cloudflareHostname of [FOREIGN, 'ashop.example', 'shop.example.net', '*.corp.example']) {
      const refused = await put('held', { cloudflareHostname });
      assertProblem(t, refused, 'forbidden');
      t.match(
        refused.body.detail,
        `hostnames at and below shop.example, only.example, and ${cloudflareHostname} is none`,
      );
    }
    t.equal((await put('held', {})).body.cloudflareHostname, null);
  });

  await t.test('each way to set a hostname or to take a port is limited', async (t) => {
    const hostname = { cloudflareHostname: FOREIGN };
    const reserved = (await reserve('localhost')).body;
    const elsewhere = (await reserve(METADATA, unlimited)).body;
    const before = (await ask('GET', 'allocations?status=any')).text;
    const refused = {
      'get or allocate, hostname': put('new', hostname),
      'get or allocate, host': put('new', {}, `host=${METADATA}`),
      'allocate, hostname': ask('POST', 'projects/odin/allocations', { service: 'new', ...hostname }),
      'allocate, host': ask('POST', 'projects/odin/allocations', { service: 'new', host: METADATA }),
      'environment, hostname': ask('PUT', 'projects/odin/environments/e', {
        services: [{ service: 'good' }, { service: 'new', ...hostname }],
      }),
      'environment, host': ask('PUT', `projects/odin/environments/e?host=${METADATA}`, {
        services: [{ service: 'x' }],
      }),
      update: ask('PATCH', `allocations/${held.id}`, hostname),
      'reserve, host': reserve(METADATA),
      'claim, hostname': ask('POST', `reservations/${reserved.id}/claim`, { service: 'r', ...hostname }),
      'claim, host': ask('POST', `reservations/${elsewhere.id}/claim`, { service: 'r' }),
      'renew, host': ask('PATCH', `reservations/${elsewhere.id}`, { ttlSeconds: 999 }),
    };
    for (const [way, asked] of Object.entries(refused)) {
      const { body } = await asked;
      t.match(body, { code: 'forbidden', detail: /^This key (takes ports on localhost, 10\.0\.0\.7|sets host)/ }, way);
    }
    const items = [{ port: 3390 }, { port: 3391, host: METADATA }, { port: 3392, host: '10.0.0.7' }];
    const dry = (await ask('POST', 'imports?dryRun=true', { items })).body.items;
    t.match(dry, [{ outcome: 'adopted' }, { outcome: 'conflict', detail: /takes ports on/ }, { outcome: 'adopted' }]);
    t.equal((await ask('GET', 'allocations?status=any')).text, before, 'nothing was changed');
    t.match((await ask('POST', 'imports', { items })).body.items, [{}, { outcome: 'conflict', allocation: null }, {}]);
    t.match((await ask('GET', `allocations?host=${METADATA}`)).body.items, [{ id: beyond.id }]);
    t.equal((await ask('DELETE', `reservations/${elsewhere.id}`)).body.status, 'cancelled', 'it may give up');
  });

  await t.test('over MCP as well', async (t) => {
    const call = async (name: string, input: object) => {
      const params = { name, arguments: input };
      const accept = { accept: 'application/json, text/event-stream' };
      const message = { jsonrpc: '2.0', id: 1, method: 'tools/call', params };
      return (await request('POST', '/mcp', message, { ...accept, ...key })).text;
    };
    const hostname = { cloudflareHostname: FOREIGN };
    const project = { project: 'odin' };
    const elsewhere = (await reserve(METADATA, unlimited)).body;
    for (const [tool, input] of [
      ['get-port', { ...project, service: 'new', host: METADATA }],
      ['allocate-port', { ...project, service: 'new', host: METADATA }],
      ['update-port', { id: held.id, ...hostname }],
      ['update-port', { ...project, service: 'held', ...hostname }],
      ['get-environment-ports', { ...project, environment: 'e', services: ['x'], host: METADATA }],
      ['reserve-port', { ...project, ttlSeconds: 60, host: METADATA }],
      ['claim-reservation', { id: elsewhere.id, service: 'r' }],
    ] as const) {
      t.match(
        await call(tool, input),
        /forbidden: This key (takes ports on|sets host)/,
        `${tool} ${Object.keys(input)}`,
      );
    }
    for (const [tool, input] of [
      ['get-port', { ...project, service: 'new', ...hostname }],
      ['allocate-port', { ...project, service: 'new', ...hostname }],
      ['get-environment-ports', { ...project, environment: 'e', services: [{ service: 'x', ...hostname }] }],
      ['claim-reservation', { id: elsewhere.id, service: 'r', ...hostname }],
    ] as const) {
      t.match(await call(tool, input), /validation-failed/, `${tool} sets no hostname`);
    }
    t.equal((await ask('DELETE', `reservations/${elsewhere.id}`)).body.status, 'cancelled');
    t.match(await call('import-ports', { items: [{ port: 3391, host: METADATA }] }), /conflict.*takes ports on/);
  });

  await t.test('it reads, describes and releases what is held already, whatever its names are', async (t) => {
    t.equal((await put('beyond', {}, `host=${METADATA}`)).body.id, beyond.id, 'a service that starts again');
    t.equal((await ask('PATCH', `allocations/${beyond.id}`, { description: 'x' })).body.description, 'x');
    t.equal((await ask('PATCH', `allocations/${beyond.id}`, { cloudflareHostname: null })).status, 200);
    t.equal((await ask('DELETE', `allocations/${beyond.id}`)).body.status, 'released');
    t.equal((await put('beyond', {}, `host=${METADATA}`)).body.code, 'forbidden');
  });

  await t.test('a key with an empty list sets no hostname at all', async (t) => {
    const { body } = await request('POST', '/v1/api-keys', { ...wanted, hostnames: [] }, ADMIN);
    const none = bearer(body.key);
    const refused = await ask('PATCH', `allocations/${held.id}`, { cloudflareHostname: 'shop.example' }, none);
    t.match(refused.body, { code: 'forbidden', detail: /^This key sets no cloudflareHostname/ });
    t.equal((await ask('PATCH', `allocations/${held.id}`, { cloudflareHostname: null }, none)).status, 200);
  });
});
