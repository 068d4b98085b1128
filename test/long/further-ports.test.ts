// Allocations that prefer a port, that take one number for two protocols, or that name an excluded port.
import t from 'tap';
import { makeApp, requester } from '../helpers/app.js';
import { databases } from '../helpers/database.js';
import { ADMIN, bearer, makeKey, WITH_KEYS } from '../helpers/keys.js';
import { assertInvalid, assertProblem } from '../helpers/problems.js';
import { readRegistry } from '../helpers/rows.js';

for (const [name, open] of databases) {
  t.test(`on ${name}`, async (t) => {
    const database = await open(t);
    const request = requester(await makeApp(t, database, { MAX_ENVIRONMENTS_PER_PROJECT: '1' }));
    const take = (project: string, body: object, headers: Record<string, string> = {}, query = '') =>
      request('POST', `/v1/projects/${project}/allocations${query}`, body, headers);
    const BOTH = { service: 'dns', protocol: 'both' };
    const portsOf = ({ body }: Awaited<ReturnType<typeof take>>) =>
      body.items.map(({ port }: { port: number }) => port);
    const assertUnchanged = async (act: () => Promise<void>) => {
      const before = await readRegistry(database.db);
      await act();
      t.equal(await readRegistry(database.db), before, 'nothing was changed');
    };

    t.test('bad input is named, and changes nothing', () =>
      assertUnchanged(async () => {
        const named = async (body: object, pointer: string) =>
          assertInvalid(t, await take('consilio', { service: 'a', ...body }), pointer);
        await named({ prefer: 0 }, '/prefer');
        await named({ port: 3120, prefer: 3121 }, '/prefer');
        await named({ prefer: 70_000 }, '/prefer');
        await named({ prefer: '3120' }, '/prefer');
        await named({ protocol: 'sctp' }, '/protocol');
        assertInvalid(t, await request('PUT', '/v1/projects/consilio/services/a?protocol=both'), '/query/protocol');
      }),
    );

    t.test('two allocations with one number, each with an id of its own', async (t) => {
      const { status, headers, body } = await take('consilio', { ...BOTH, prefer: 3120, description: 'names' });
      const [tcp, udp] = body.items;
      t.match([status, headers.location], [201, `/v1/allocations/${tcp.id}`]);
      t.match(body, {
        items: [
          { port: 3120, protocol: 'tcp', description: 'names', status: 'allocated' },
          { port: 3120, protocol: 'udp', description: 'names', status: 'allocated' },
        ],
      });
      t.strictSame((await request('GET', `/v1/allocations/${udp.id}`)).body, udp);
      t.match(await request('DELETE', `/v1/allocations/${udp.id}`), { status: 200, body: { status: 'released' } });
      t.equal((await request('GET', '/v1/projects/consilio/services/dns')).body.id, tcp.id);
      t.same(portsOf(await take('consilio', { ...BOTH, prefer: 3120 })), [3100, 3100], 'TCP is held still');
    });

    t.test('a retry gets the first answer, of one and of two, and no other request does', async (t) => {
      for (const body of [
        { service: 'api', prefer: 3130 },
        { ...BOTH, prefer: 3131 },
      ]) {
        const key = { 'idempotency-key': JSON.stringify(body).length.toString() };
        const first = await take('consilio', body, key);
        const retry = await take('consilio', body, key);
        t.match([retry.status, retry.headers['idempotent-replayed']], [201, 'true']);
        t.strictSame([retry.body, retry.headers.location], [first.body, first.headers.location]);
        assertProblem(t, await take('consilio', { ...body, prefer: 3132 }, key), 'idempotency-key-reused');
      }
    });

    t.test('all or nothing: a number that is held for one protocol, and a limit of the project', async (t) => {
      t.equal((await take('consilio', { ...BOTH, environment: 'one' })).status, 201);
      await assertUnchanged(async () => {
        const taken = await take('consilio', { ...BOTH, port: 3120 });
        t.match(taken, { status: 409, body: { code: 'port-taken', holder: { service: 'dns' } } });
        assertProblem(t, await take('consilio', { ...BOTH, port: 3099 }), 'port-outside-range');
        assertProblem(t, await take('consilio', { ...BOTH, environment: 'two' }), 'limit-reached');
      });
    });

    t.test('createProject=true gives a new project its range and the pair in one call', async (t) => {
      t.same(portsOf(await take('atlas', { ...BOTH, prefer: 3105 }, {}, '?createProject=true')), [3600, 3600]);
      const refused = await take('beta', { ...BOTH, port: 3105 }, {}, '?createProject=true');
      assertProblem(t, refused, 'port-outside-range');
      t.equal((await request('GET', '/v1/projects/beta/summary')).status, 404);
    });

    t.test('an excluded port is given by its number alone, with a warning', async (t) => {
      const warnings = [/^Port 3659 is excluded/];
      t.match(await take('atlas', { service: 'a', prefer: 3659 }), { status: 201, body: { port: 3601 } });
      const named = await take('atlas', { service: 'mail', port: 3659 });
      t.match(named, { status: 201, body: { port: 3659, warnings } });
      t.match((await request('GET', `/v1/allocations/${named.body.id}`)).body, { warnings });
      t.match((await request('GET', '/v1/ports/3659')).body, { state: 'allocated', allocation: { warnings } });
      t.match((await take('atlas', { ...BOTH, port: 3659 })).body, { code: 'port-taken' });
      t.notOk('warnings' in (await request('DELETE', `/v1/allocations/${named.body.id}`)).body);
      t.match((await take('atlas', { ...BOTH, port: 3659 })).body.items, [{ warnings }, { warnings }]);
    });

    t.test('a preferred port that cools down goes to the service that released it', async (t) => {
      await request('PATCH', '/v1/ranges/3600', { reuseCooldownSeconds: 600 });
      const { id } = (await take('atlas', { service: 'web', prefer: 3650 })).body;
      await request('DELETE', `/v1/allocations/${id}`);
      t.equal((await take('atlas', { service: 'api', prefer: 3650 })).body.port, 3602);
      t.equal((await take('atlas', { service: 'web', prefer: 3650 })).body.port, 3650);
    });
  });
}

t.test('keys: a pair needs what each of its two needs', async (t) => {
  const database = await (databases[0] as (typeof databases)[0])[1](t);
  const request = requester(await makeApp(t, database, WITH_KEYS));
  const body = { service: 'dns', protocol: 'both' };
  const { key: reader } = await makeKey(request, 'reader');
  const { key: odin } = await makeKey(request, 'project', 'odin');
  const wanted = { name: 'hosts', role: 'project', projects: ['odin'], hosts: ['localhost'] };
  const { key: local } = (await request('POST', '/v1/api-keys', wanted, ADMIN)).body;
  const statusFor = async (key: string, project: string, more: object = {}) =>
    (await request('POST', `/v1/projects/${project}/allocations`, { ...body, ...more }, bearer(key))).status;
  t.equal(await statusFor(reader, 'odin'), 403);
  t.equal(await statusFor(odin, 'odin'), 201);
  t.equal(await statusFor(odin, 'consilio'), 403);
  t.equal(await statusFor(local, 'odin', { host: 'db1' }), 403);
  t.equal(await statusFor(local, 'odin'), 201);
});
