// Projects that a call creates: PUT of the project, and `createProject=true`.
import t from 'tap';
import { makeApp, requester } from '../helpers/app.js';
import { databases } from '../helpers/database.js';
import { ADMIN, bearer, makeKey, WITH_KEYS } from '../helpers/keys.js';
import { readRegistry } from '../helpers/rows.js';

const RACERS = 64;
const CREATE = '?createProject=true';

for (const [name, open] of databases) {
  t.test(`on ${name}`, async (t) => {
    const database = await open(t);
    const request = requester(await makeApp(t, database, { REUSE_COOLDOWN_SECONDS: '30' }));
    const rangesOf = async (project: string) =>
      (await request('GET', '/v1/ranges?limit=1000')).body.items.filter(
        (range: { project: string }) => range.project === project,
      );

    t.test('a project is there after a PUT, with the range that the first one asked for', async (t) => {
      const first = await request('PUT', '/v1/projects/atlas', { startPort: 61000, description: 'The Atlas stack' });
      t.match([first.status, first.headers.location], [201, '/v1/projects/atlas/summary']);
      t.match(first.body, { project: 'atlas', rangeStart: 61000, rangeEnd: 61099, availablePorts: 100 });
      t.match(first.body.ranges, [
        { description: 'The Atlas stack', reuseCooldownSeconds: 30, warnings: [/macOS/, /Windows/] },
      ]);
      t.same(first.body, (await request('GET', '/v1/projects/atlas/summary')).body);
      const again = await request('PUT', '/v1/projects/atlas', {
        startPort: 3100,
        kind: 'shared',
        description: 'other',
      });
      t.equal(again.status, 200);
      t.same(again.body, first.body, 'the body counts only for the first');
      t.match((await request('PUT', '/v1/projects/big', { kind: 'shared' })).body, { totalPorts: 1000 });
      t.equal((await request('PUT', '/v1/projects/plain')).status, 201, 'a missing body is an empty one');
    });

    t.test('what keeps the range from being made is said as for a range', async (t) => {
      const before = await readRegistry(database.db);
      for (const [body, status, code] of [
        [{ startPort: 3100 }, 409, 'range-overlap'],
        [{ startPort: 64900, kind: 'shared' }, 400, 'validation-failed'],
        [{ startPort: 3150 }, 400, 'validation-failed'],
        [{ startPort: '5000' }, 400, 'validation-failed'],
        [{ kind: 'huge' }, 400, 'validation-failed'],
        [{ description: 'a\nb' }, 400, 'validation-failed'],
        [{ project: 'other' }, 400, 'validation-failed'],
        [[], 400, 'validation-failed'],
      ] as const) {
        const refused = await request('PUT', '/v1/projects/nowhere', body);
        t.match([refused.status, refused.body.code], [status, code], JSON.stringify(body));
      }
      t.equal((await request('PUT', '/v1/projects/No-Where')).body.suggestion, 'no-where');
      t.equal(await readRegistry(database.db), before);
    });

    t.test('each call that allocates creates the project if it is asked to', async (t) => {
      const services = { services: [{ service: 'web' }, { service: 'api' }] };
      for (const [method, path, body] of [
        ['PUT', 'services/web', undefined],
        ['POST', 'allocations', { service: 'web' }],
        ['PUT', 'environments/feature-x', services],
      ] as const) {
        const project = `made-by-${path.split('/')[0]}`;
        const url = `/v1/projects/${project}/${path}`;
        const refused = await request(method, url, body);
        t.match([refused.status, refused.body.code], [404, 'project-not-found'], url);
        t.match(refused.body.detail, /PUT \/v1\/projects\/\{project\} gives it one, and so does createProject=true/);
        t.equal((await request(method, `${url}?createProject=false`, body)).status, 404);
        const made = await request(method, url + CREATE, body);
        t.equal(made.status, 201, made.text);
        const [range, ...others] = await rangesOf(project);
        t.same(others, []);
        t.match(range, { kind: 'project', description: null, reuseCooldownSeconds: 30 });
        t.equal((made.body.items?.[0] ?? made.body).port, range.startPort);
        const again = await request(method, url + CREATE, body);
        t.equal(again.status, method === 'POST' ? 201 : 200);
        t.equal((await rangesOf(project)).length, 1);
      }
      for (const value of ['yes', '2', '']) {
        const refused = await request('PUT', `/v1/projects/bad/services/web?createProject=${value}`);
        t.match([refused.status, refused.body.errors[0].pointer], [400, '/query/createProject'], value);
      }
    });

    t.test('where the call is refused, no project is left behind', async (t) => {
      const before = await readRegistry(database.db);
      const many = Array.from({ length: 101 }, (_, i) => ({ service: `s${i}` }));
      const url = '/v1/projects/vain';
      for (const [method, path, body, code] of [
        ['PUT', 'environments/e', { services: many }, 'range-exhausted'],
        ['POST', 'allocations', { service: 'web', port: 3100 }, 'port-outside-range'],
        ['PUT', 'environments/e', { services: [{ service: 'a' }, { service: 'a' }] }, 'validation-failed'],
      ] as const) {
        t.equal((await request(method, `${url}/${path}${CREATE}`, body)).body.code, code, path);
      }
      t.equal(await readRegistry(database.db), before);
    });

    t.test('callers who race to create one project make one range', async (t) => {
      const answers = await Promise.all(
        Array.from({ length: RACERS }, (_, i) =>
          [
            () => request('PUT', `/v1/projects/raced/services/s${i % 8}${CREATE}`),
            () => request('PUT', '/v1/projects/raced'),
            () => request('PUT', `/v1/projects/raced/environments/e${i}${CREATE}`, { services: [{ service: 'web' }] }),
            () => request('POST', `/v1/projects/raced/allocations${CREATE}`, { service: 'more' }),
          ][i % 4]?.(),
        ),
      );
      t.ok(answers.every((answer) => [200, 201].includes(answer?.status ?? 0)));
      t.equal((await rangesOf('raced')).length, 1);
      // s0 and s4, 16 environments and 16 more.
      t.match((await request('GET', '/v1/projects/raced/summary')).body, { allocatedPorts: 34 });
    });

    t.test('callers who race to create many projects get blocks of their own', async (t) => {
      const answers = await Promise.all(
        Array.from({ length: RACERS }, (_, i) => request('PUT', `/v1/projects/p${i}/services/web${CREATE}`)),
      );
      t.same(new Set(answers.map(({ status }) => status)), new Set([201]));
      t.equal(new Set(answers.map(({ body }) => body.port)).size, RACERS);
    });
  });
}

t.test('keys: admins create projects, and other keys use those that there are', async (t) => {
  const [, open] = databases[0] as (typeof databases)[number];
  const database = await open(t);
  const request = requester(await makeApp(t, database, WITH_KEYS));
  const key = await makeKey(request, 'project', 'new', 'consilio');
  const reader = await makeKey(request, 'reader');
  const before = await readRegistry(database.db);
  const ask = (headers: Record<string, string>, project: string) =>
    request('PUT', `/v1/projects/${project}/services/web${CREATE}`, undefined, headers);
  const refused = await ask(bearer(key.key), 'new');
  t.match([refused.status, refused.body.code], [403, 'forbidden']);
  t.match(refused.body.detail, /^Project new has no range\. A key with the role admin can give it one.*Ask an admin/);
  t.equal((await ask(bearer(key.key), 'strange')).body.code, 'forbidden');
  t.equal((await ask(bearer(reader.key), 'new')).body.code, 'forbidden');
  t.equal((await request('PUT', '/v1/projects/new', undefined, bearer(key.key))).body.code, 'forbidden');
  t.equal((await request('PUT', '/v1/projects/consilio', undefined, bearer(key.key))).body.code, 'forbidden');
  t.equal(await readRegistry(database.db), before);
  t.equal((await ask(bearer(key.key), 'consilio')).status, 201, 'the project is there');
  t.equal((await ask(ADMIN, 'new')).status, 201);
  t.equal((await ask(bearer(key.key), 'new')).status, 200);
});
