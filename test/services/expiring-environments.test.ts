// Environments that expire: told of, and released only if that was asked for and nobody listens.
import { sql } from 'kysely';
import t from 'tap';
import { loadConfig } from '../../src/config.js';
import { Registry } from '../../src/registry/registry.js';
import { handleExpiring } from '../../src/services/expiring-environments.js';
import { Prober } from '../../src/services/probes/prober.js';
import { makeApp, requester } from '../helpers/app.js';
import { databases, silentLog } from '../helpers/database.js';
import { findClosedPort, listen } from '../helpers/listeners.js';
import { emptyRegistry } from '../helpers/registry.js';

const WEEK = 604_800;
const forever = new AbortController().signal;
const url = '/v1/projects/shop/environments/a';

for (const [name, open] of databases) {
  t.test(`on ${name}`, async (t) => {
    const { db } = await open(t);
    const request = requester(await makeApp(t, { db }));
    const prober = new Prober(loadConfig({}));
    const pass = () => handleExpiring({ registry: new Registry(db), prober, log: silentLog }, forever);
    /** The events of environments since the last call, and who caused them. */
    const events = async () =>
      (
        await sql<{ type: string; kind: string; environment: Record<string, unknown> }>`
          with gone as (delete from new_events returning *)
          select type, actor ->> 'kind' as kind, data -> 'environment' as environment
          from gone where type in ('environment.due', 'environment.released') order by id`.execute(db)
      ).rows;
    /** Everything happened so many seconds earlier than it did. */
    const age = async (seconds: number) => {
      const earlier = sql`make_interval(secs => ${seconds})`;
      await sql`update environments set used_at = used_at - ${earlier}, told_at = told_at - ${earlier}`.execute(db);
      await sql`update port_allocations set allocated_at = allocated_at - ${earlier}, last_used_at = last_used_at - ${earlier}`.execute(
        db,
      );
    };
    const start = async (expiry: object, listened?: number) => {
      await emptyRegistry(db);
      await sql`truncate new_events`.execute(db);
      const port = listened ?? (await findClosedPort());
      const first = Math.floor(port / 100) * 100;
      await sql`insert into port_ranges (start_port, end_port, project) values (${first}, ${first + 99}, 'shop')`.execute(
        db,
      );
      await sql`insert into port_allocations (port, project, service, environment) values (${port}, 'shop', 'web', 'a')`.execute(
        db,
      );
      return request('PUT', url, { services: [{ service: 'web' }], ...expiry });
    };
    const held = async () => (await request('GET', url)).body.items.length;
    const release = { expiresAfterSeconds: WEEK, onExpiry: 'release' };

    t.test('without an expiry nothing is ever told or taken back', async (t) => {
      t.match((await start({})).body, { expiresAfterSeconds: null, onExpiry: null, expiresAt: null });
      await age(10 * 365 * 86_400);
      await pass();
      await pass();
      t.same(await events(), []);
      t.equal(await held(), 1);
    });

    t.test('an expiry is answered, kept, changed and cleared', async (t) => {
      const { status, body } = await start({ expiresAfterSeconds: WEEK });
      t.match([status, body.expiresAfterSeconds, body.onExpiry], [200, WEEK, 'tell']);
      t.ok(Math.abs(Date.parse(body.expiresAt) - Date.now() - WEEK * 1000) < 60_000);
      const { items: _, ...expiry } = body;
      for (const query of ['/v1/environments', '/v1/projects/shop/environments']) {
        t.match((await request('GET', query)).body.items, [expiry], query);
      }
      const put = (given: object) => request('PUT', url, { services: [{ service: 'web' }], ...given });
      t.match((await put({})).body, expiry, 'left out, it is kept, and the use is too young to be recorded');
      t.match((await put(release)).body, release);
      t.match((await request('GET', url)).body, release);
      t.match((await put({ expiresAfterSeconds: null })).body, { expiresAfterSeconds: null, expiresAt: null });
      t.match((await sql`select * from environments`.execute(db)).rows, [
        { path: null, expires_after_seconds: null, on_expiry: null, used_at: null },
      ]);
      t.equal((await put({ onExpiry: 'release' })).body.code, 'validation-failed');
      t.equal((await put({ expiresAfterSeconds: 3599 })).status, 400);
    });

    t.test('it is told once a day before, and with `tell` never released', async (t) => {
      await start({ expiresAfterSeconds: WEEK });
      await age(WEEK - 86_400 - 60);
      await pass();
      t.same(await events(), [], 'not yet');
      await age(120);
      await Promise.all([pass(), pass()]);
      const [event, ...others] = await events();
      t.match(event, {
        type: 'environment.due',
        kind: 'service',
        environment: {
          project: 'shop',
          environment: 'a',
          ports: 1,
          path: null,
          onExpiry: 'tell',
          expiresAfterSeconds: WEEK,
        },
      });
      t.equal(event?.environment.expiresAt, (await request('GET', url)).body.expiresAt);
      t.same(others, []);
      await age(30 * 86_400);
      await pass();
      t.same(await events(), []);
      t.equal(await held(), 1);
    });

    t.test('it is released at the end, once, by two replicas', async (t) => {
      await start(release);
      await age(10 * WEEK);
      await pass();
      t.match(await events(), [{ type: 'environment.due' }]);
      await pass();
      t.equal(await held(), 1, 'a day passes after it was told, also if that was late');
      await age(86_400);
      await Promise.all([pass(), pass()]);
      t.match(await events(), [
        { type: 'environment.released', kind: 'service', environment: { environment: 'a', ports: 1, host: null } },
      ]);
      t.equal(await held(), 0);
      t.same((await sql`select * from environments`.execute(db)).rows, []);
    });

    t.test('a use makes it start anew', async (t) => {
      await start(release);
      await age(WEEK - 3600);
      await pass();
      t.equal((await events()).length, 1);
      t.equal((await request('PUT', url, { services: [{ service: 'web' }] })).status, 200);
      await age(7200);
      await pass();
      t.equal(await held(), 1);
      t.same(await events(), []);
      await age(WEEK);
      await pass();
      t.match(await events(), [{ type: 'environment.due' }]);
    });

    t.test('it is kept if it is used between the probe and the release', async (t) => {
      await start(release);
      await age(WEEK);
      await pass();
      await age(86_400);
      const registry = new Registry(db);
      const usedMeanwhile = Object.assign(Object.create(prober), {
        async probe(...args: Parameters<Prober['probe']>) {
          await request('PUT', url, { services: [{ service: 'web' }] });
          return prober.probe(...args);
        },
      });
      await handleExpiring({ registry, prober: usedMeanwhile, log: silentLog }, forever);
      t.equal(await held(), 1);
    });

    t.test('where somebody listens, or nobody can say, it is kept', async (t) => {
      const server = await listen(t, '127.0.0.1');
      await start(release, server.port);
      await age(WEEK);
      await pass();
      t.same(await events(), [], 'nobody is told of an environment that is in use');
      t.ok((await request('GET', '/v1/environments')).body.items[0].lastUsedAt);
      await start(release);
      await request('PUT', '/v1/projects/shop/services/far?environment=a&host=db.example');
      await age(WEEK);
      await pass();
      await age(WEEK);
      await pass();
      t.match(await events(), [{ type: 'environment.due' }]);
      t.equal(await held(), 1);
    });

    t.test(
      'where somebody listens on another address of this machine, it is kept',
      {
        skip: process.platform !== 'linux' && 'only Linux has 127.0.0.2',
      },
      async (t) => {
        const server = await listen(t, '127.0.0.2');
        await start(release, server.port);
        await age(WEEK);
        await pass();
        await age(WEEK);
        await pass();
        t.same(await events(), []);
        t.equal(await held(), 1);
      },
    );

    t.test('a release of a whole environment is one event, and none if it held nothing', async (t) => {
      await start({});
      await request('DELETE', url);
      await request('DELETE', url);
      t.match(await events(), [
        {
          type: 'environment.released',
          kind: 'anonymous',
          environment: { project: 'shop', host: 'localhost', ports: 1 },
        },
      ]);
    });
  });
}
