// Two folders that give their environment the same name, while ports are allocated and released.
import fc from 'fast-check';
import { sql } from 'kysely';
import t from 'tap';
import { type Answer, makeApp, requester } from '../helpers/app.js';
import { openPostgres } from '../helpers/database.js';
import { holds } from '../helpers/properties.js';
import { propertySeed } from '../helpers/registry.js';

t.setTimeout(180_000);

const RUNS = 10;
const PATHS = ['/here', '/there'] as const;
const URL = '/v1/projects/odin';
const SERVICES = ['web', 'api', 'db'] as const;

/** What callers do at the same time. None of them releases the service `anchor`. */
const churn = fc.array(
  fc.record({
    what: fc.constantFrom('take', 'take', 'take without a path', 'release', 'release by id'),
    path: fc.constantFrom(...PATHS),
    service: fc.constantFrom(...SERVICES),
  }),
  { minLength: 24, maxLength: 48 },
);

t.comment(`PROPERTY_SEED=${propertySeed}`);

t.test('an environment that holds a port never changes its path', async (t) => {
  const database = await openPostgres(t);
  // Two replicas, so that batches of one interleave with those of the other.
  const replicas = [requester(await makeApp(t, database)), requester(await makeApp(t, database))] as const;
  let turn = 0;
  const request = (...asked: Parameters<(typeof replicas)[0]>) => replicas[turn++ % 2 === 0 ? 0 : 1](...asked);
  const put = (service: string, path?: string) =>
    request('PUT', `${URL}/environments/e`, { services: [{ service }], path });
  const release = (service: string) => request('DELETE', `${URL}/services/${service}?environment=e`);
  const releaseById = async (service: string) => {
    const held = await request('GET', `${URL}/services/${service}?environment=e`);
    return held.status === 200 ? request('DELETE', `/v1/allocations/${held.body.id}`) : held;
  };
  const readPaths = async () =>
    (await sql<{ path: string }>`select path from environments`.execute(database.db)).rows.map(({ path }) => path);
  const codeOf = ({ status, body }: Answer) => (status < 300 ? 'done' : body.code);

  const property = fc.asyncProperty(churn, async (calls) => {
    const race = await Promise.all([...PATHS, ...PATHS, ...PATHS, ...PATHS].map((path) => put('anchor', path)));
    const [path, ...others] = await readPaths();
    t.same(others, []);
    for (const [i, answer] of race.entries()) {
      t.equal(codeOf(answer), PATHS[i % 2] === path ? 'done' : 'environment-elsewhere', 'one path has won');
    }
    await Promise.all(
      calls.map(async ({ what, service, ...call }) => {
        if (what === 'release') return release(service);
        if (what === 'release by id') return releaseById(service);
        if (what === 'take without a path') return put(service);
        const isHere = call.path === path;
        const answer = await put(service, call.path);
        t.equal(codeOf(answer), isHere ? 'done' : 'environment-elsewhere', `${call.path}: ${answer.text}`);
        return answer;
      }),
    );
    t.same(await readPaths(), [path]);
    // The last ports go while both folders want them.
    const releases = ['anchor', ...SERVICES].map(release);
    await Promise.all([...releases, ...PATHS.map((wanted) => put('web', wanted))]);
    const held = (await request('GET', `${URL}/environments/e`)).body.items;
    t.equal((await readPaths()).length, held.length > 0 ? 1 : 0);
    await request('DELETE', `${URL}/environments/e`);
    t.same(await readPaths(), [], 'nothing is left of an environment that holds nothing');
  });
  await holds(t, property, { seed: propertySeed, numRuns: RUNS, endOnFailure: true });
});
