// Names that are refused for their form, and names that nobody has: what the answer says about how to go on.
import t from 'tap';
import { makeApp, requester } from '../helpers/app.js';
import { openPostgres } from '../helpers/database.js';
import { ADMIN, bearer, makeKey, WITH_KEYS } from '../helpers/keys.js';
import { assertInvalid, assertProblem } from '../helpers/problems.js';

const RULE =
  'Names are lower-case letters, digits, dot, underscore and hyphen, 1 to 63 characters, beginning and ending with a ' +
  'letter or digit.';
const SLUG = /^feature-cart-[a-z0-9]{4}$/;

t.test('names', async (t) => {
  const { db } = await openPostgres(t);
  const request = requester(await makeApp(t, { db }));
  const { id } = (await request('POST', '/v1/projects/odin/reservations', { ttlSeconds: 60 })).body;

  t.test('a bad name is answered with itself, the rule, and a name that is taken', async (t) => {
    const encoded = 'Feature%2FCart';
    const name = 'Feature/Cart';
    for (const [method, url, body, pointer] of [
      ['PUT', `/v1/projects/odin/services/${encoded}`, undefined, '/path/service'],
      ['GET', `/v1/projects/${encoded}/summary`, undefined, '/path/project'],
      ['PUT', `/v1/projects/odin/environments/${encoded}`, { services: [{ service: 'a' }] }, '/path/environment'],
      [
        'PUT',
        '/v1/projects/odin/environments/x',
        { services: [{ service: 'a' }, { service: name }] },
        '/services/1/service',
      ],
      ['PUT', `/v1/projects/odin/services/web?environment=${encoded}`, undefined, '/query/environment'],
      ['GET', `/v1/allocations?service=${encoded}`, undefined, '/query/service'],
      ['GET', `/v1/allocations?environment=${encoded}`, undefined, '/query/environment'],
      ['GET', `/v1/reservations?project=${encoded}`, undefined, '/query/project'],
      ['GET', `/v1/exports/dotenv?environment=${encoded}`, undefined, '/query/environment'],
      ['POST', '/v1/projects/odin/allocations', { service: 'a', environment: name }, '/environment'],
      ['POST', '/v1/projects/odin/reservations', { service: name, ttlSeconds: 60 }, '/service'],
      ['POST', `/v1/reservations/${id}/claim`, { service: name }, '/service'],
      ['POST', '/v1/imports', { items: [{ port: 3300, service: name }] }, '/items/0/service'],
      ['POST', '/v1/audits', { project: name }, '/project'],
      ['POST', '/v1/ranges', { project: name }, '/project'],
    ] as const) {
      const answer = await request(method, url, body);
      assertInvalid(t, answer, pointer, /^is "Feature\/Cart", which is not a name\. /);
      const { detail, errors, suggestion } = answer.body;
      t.match(suggestion, SLUG, pointer);
      t.equal(errors[0].suggestion, suggestion);
      t.ok(detail.endsWith(`${RULE} Try ${suggestion}.`), detail);
    }
    const { suggestion } = (await request('PUT', `/v1/projects/odin/services/${encoded}`)).body;
    t.equal((await request('PUT', `/v1/projects/odin/services/${suggestion}`)).status, 201);
  });

  t.test('capitals alone become small letters, and no name at all becomes none', async (t) => {
    t.equal((await request('PUT', '/v1/projects/odin/services/Web')).body.suggestion, 'web');
    const empty = await request('POST', '/v1/projects/odin/allocations', { service: '' });
    assertInvalid(t, empty, '/service', /^is empty\. Names are /);
    t.notOk('suggestion' in empty.body);
  });

  t.test('a long value is echoed in part', async (t) => {
    const { detail } = (await request('POST', '/v1/ranges', { project: `A${'b'.repeat(100_000)}` })).body;
    t.match(detail, /^\/project is "Ab{39}"…, which is not a name\./);
    t.ok(detail.length < 400);
  });

  t.test('a slash in the path is recognised as part of a name', async (t) => {
    for (const [method, path, parameters] of [
      ['PUT', '/v1/projects/odin/services/feature/cart', { service: 'feature/cart' }],
      ['GET', '/v1/projects/odin/services/feature/services/cart?host=localhost', { service: 'feature/services/cart' }],
      ['DELETE', '/v1/projects/odin/environments/feature/cart', { environment: 'feature/cart' }],
      ['PUT', '/v1/projects/org/odin/services/web', { project: 'org/odin' }],
      ['GET', '/v1/projects/org/odin/summary', { project: 'org/odin' }],
      ['GET', '/v1/projects/odin/services/feature/summary', { service: 'feature/summary' }],
      ['PUT', '/v1/projects/org/odin/services/feature/a%20b', { project: 'org/odin', service: 'feature/a b' }],
    ] as const) {
      const problem = assertProblem(t, await request(method, path), 'validation-failed');
      const expected = Object.entries(parameters);
      t.strictSame(
        problem.errors.map(({ pointer }: { pointer: string }) => pointer),
        expected.map(([parameter]) => `/path/${parameter}`),
      );
      for (const [index, [, value]] of expected.entries()) {
        t.match(problem.errors[index], {
          detail: `is "${value}", which is not a name. ${RULE}`,
          suggestion: /^[a-z-]+/,
        });
      }
      t.equal('suggestion' in problem, expected.length === 1, 'only of one name it can be said without its field');
    }
  });

  t.test('a path that cannot be read so has nothing, with the path that was meant if there is one', async (t) => {
    for (const [path, meant] of [
      ['/v1/project/odin/summary', '/v1/projects/odin/summary'],
      ['/projects/odin/services/web', '/v1/projects/odin/services/web'],
      ['/V1/Ranges', '/v1/ranges'],
      ['//v1//ranges', '/v1/ranges'],
      ['/v1/port/3300', '/v1/ports/3300'],
      ['/v1/projects/odin/service/api', '/v1/projects/odin/services/api'],
      ['/project/odin/environment/main', '/v1/projects/odin/environments/main'],
      ['/v1/projects/odin/summary/', '/v1/projects/odin/summary'],
    ] as const) {
      const { detail } = assertProblem(t, await request('GET', path), 'not-found');
      t.equal(detail, `There is nothing at this path. Did you mean ${meant}?`);
    }
    for (const path of [
      '/v1/projects/odin/summary/x',
      '/v1/projects/odin/x',
      '/v1/ranges/3300/x',
      '/v1/things',
      '/x',
    ]) {
      t.match(assertProblem(t, await request('GET', path), 'not-found').detail, /GET \/openapi\.json lists all paths/);
    }
  });
});

t.test('an unknown project is answered with similar ones', async (t) => {
  const { db } = await openPostgres(t);
  const request = requester(await makeApp(t, { db }));
  for (const project of ['odin-1', 'odin-2', 'odin-3']) await request('POST', '/v1/ranges', { project });

  t.test('by every operation that needs the project', async (t) => {
    for (const [method, url, body] of [
      ['PUT', '/v1/projects/odinn/services/web', undefined],
      ['GET', '/v1/projects/odinn/services/web', undefined],
      ['DELETE', '/v1/projects/odinn/services/web', undefined],
      ['POST', '/v1/projects/odinn/allocations', { service: 'web' }],
      ['POST', '/v1/projects/odinn/reservations', { ttlSeconds: 60 }],
      ['GET', '/v1/projects/odinn/summary', undefined],
      ['GET', '/v1/projects/odinn/environments', undefined],
      ['PUT', '/v1/projects/odinn/environments/x', { services: [{ service: 'a' }] }],
      ['GET', '/v1/projects/odinn/environments/x', undefined],
      ['GET', '/v1/exports/dotenv?project=odinn', undefined],
      ['POST', '/v1/audits', { project: 'odinn' }],
    ] as const) {
      const problem = assertProblem(t, await request(method, url, body), 'project-not-found');
      t.strictSame(problem.suggestions, ['odin', 'odin-1', 'odin-2'], `${method} ${url}`);
      t.match(problem.detail, /^Project odinn has no range\. Did you mean odin or odin-1 or odin-2\? GET /);
    }
  });

  t.test('without suggestions if none is similar', async (t) => {
    const problem = assertProblem(t, await request('PUT', '/v1/projects/zzz/services/web'), 'project-not-found');
    t.notOk('suggestions' in problem);
    t.match(problem.detail, /^Project zzz has no range\. GET /);
  });
});

t.test('a key is told the names of projects that it covers, and of no others', async (t) => {
  const request = requester(await makeApp(t, await openPostgres(t), WITH_KEYS));
  for (const project of ['odin-1', 'odin-2']) await request('POST', '/v1/ranges', { project }, ADMIN);
  const { key } = await makeKey(request, 'project', 'odin-2', 'odinn');
  const put = (headers: Record<string, string>) =>
    request('PUT', '/v1/projects/odinn/services/web', undefined, headers);
  t.strictSame(assertProblem(t, await put(bearer(key)), 'project-not-found').suggestions, ['odin-2']);
  t.strictSame((await put(ADMIN)).body.suggestions, ['odin', 'odin-1', 'odin-2']);
});

t.test('a key that was pasted as a name is not repeated', async (t) => {
  const request = requester(await makeApp(t, await openPostgres(t)));
  const key = `pa_${'0'.repeat(32)}_${'Secret-'.repeat(6)}x`;
  const { text, body } = await request('GET', `/v1/projects/${key}/summary`);
  t.match(body, { code: 'validation-failed', errors: [{ pointer: '/path/project' }] });
  t.notMatch(text.toLowerCase(), /secret/);
  t.notMatch(text, /"suggestion"/, 'what is left of the key is no name that could be used');
});
