// What callers are told of themselves.
import { sql } from 'kysely';
import t from 'tap';
import { makeApp, requester } from '../helpers/app.js';
import { databases } from '../helpers/database.js';
import { ADMIN, bearer, expireKey, makeKey, WITH_KEYS } from '../helpers/keys.js';
import { assertProblem } from '../helpers/problems.js';
import { until } from '../helpers/until.js';

const UNLIMITED = { projects: null, hostnames: null, hosts: null, expiresAt: null };

for (const [name, open] of databases) {
  t.test(`a caller is told what it is and what limits it, on ${name}`, async (t) => {
    const database = await open(t);
    const request = requester(await makeApp(t, database, WITH_KEYS));
    const ask = (headers: Record<string, string>) => request('GET', '/v1/caller', undefined, headers);
    const told = async (key: string) => (await ask(bearer(key))).body;

    t.strictSame((await ask(ADMIN)).body, {
      kind: 'key',
      keyId: null,
      name: 'ADMIN_API_KEY',
      role: 'admin',
      ...UNLIMITED,
    });
    for (const role of ['admin', 'reader'] as const) {
      const { id, key } = await makeKey(request, role);
      t.strictSame(await told(key), { kind: 'key', keyId: id, name: role, role, ...UNLIMITED });
    }
    const project = await makeKey(request, 'project', 'odin', 'not-there-yet');
    const covers = { role: 'project', projects: ['odin', 'not-there-yet'] };
    const itself = { kind: 'key', keyId: project.id, name: 'project odin not-there-yet' };
    t.strictSame(await told(project.key), { ...UNLIMITED, ...itself, ...covers });

    const limits = {
      name: 'ci',
      role: 'project',
      projects: ['odin'],
      hostnames: [],
      hosts: ['build-1', 'localhost'],
      expiresAt: '2099-01-31T12:00:00.000Z',
    };
    const { body: limited } = await request('POST', '/v1/api-keys', limits, ADMIN);
    t.strictSame(await told(limited.key), { kind: 'key', keyId: limited.id, ...limits });

    await sql`update api_keys set role = 'reader', projects = '{}' where id = ${project.id}`.execute(database.db);
    await until(async () => (await told(project.key)).role === 'reader');
    t.equal((await told(project.key)).projects, null, 'a reader reads of all projects');
    await expireKey(database, limited.id);
    await until(async () => (await ask(bearer(limited.key))).status === 401);
    assertProblem(t, await ask({}), 'unauthorized');
    assertProblem(t, await ask(bearer('wrong')), 'unauthorized');
  });

  t.test(`where no keys are in force, everybody is told so, whatever they send, on ${name}`, async (t) => {
    const request = requester(await makeApp(t, await open(t)));
    const anybody = { kind: 'anonymous', keyId: null, name: null, role: 'admin', ...UNLIMITED };
    t.strictSame((await request('GET', '/v1/caller')).body, anybody);
    t.strictSame((await request('GET', '/v1/caller', undefined, bearer('whatever'))).body, anybody);
  });
}
