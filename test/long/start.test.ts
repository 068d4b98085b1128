// Starting on an empty, a migrated and a newer database, as one process and as several at the same time.
import pg from 'pg';
import t, { type Test } from 'tap';
import { createDatabase } from '../helpers/database.js';
import { runCommand, startService } from '../helpers/service.js';

async function connect(t: Test, url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  t.teardown(() => client.end());
  return client;
}

t.test('replicas that start at once on an empty database all become ready, with one schema and one seed', async (t) => {
  const url = await createDatabase(t);
  const variables = { DATABASE_URL: url, SEED_ON_START: 'true' };
  const replicas = await Promise.all([1, 2, 3, 4].map(() => startService(t, variables).ready()));
  const answers = await Promise.all(replicas.map((replica) => replica.call('PUT', '/v1/projects/odin/services/api')));
  t.same(
    answers.map(({ body }) => body.port),
    [3300, 3300, 3300, 3300],
  );
  t.same(answers.map(({ status }) => status).sort(), [200, 200, 200, 201]);
  t.equal((await replicas[0]?.call('GET', '/v1/ranges'))?.body.items.length, 7);
  for (const replica of replicas) t.equal(await replica.kill('SIGTERM'), 0);
});

t.test('MIGRATE_ON_START=false waits until someone has migrated; npm run migrate and seed do', async (t) => {
  const url = await createDatabase(t);
  const waiting = startService(t, { DATABASE_URL: url, MIGRATE_ON_START: 'false' });
  t.match(await waiting.call('GET', '/readyz'), { status: 503, body: { database: 'available', reason: 'starting' } });
  t.match(await waiting.call('GET', '/v1/ranges'), { status: 503, body: { code: 'database-unavailable' } });

  const variables = { DATABASE_URL: url };
  t.match(await runCommand(t, ['migrate'], variables), { code: 0, output: /0001_names_and_hosts.*0002_/s });
  t.match(await runCommand(t, ['migrate'], variables), { code: 0, output: /up to date/ }, 'repeatable');
  await waiting.ready();
  t.same((await waiting.call('GET', '/v1/ranges')).body.items, [], 'PostgreSQL is not seeded unless asked');

  t.match(await runCommand(t, ['seed'], variables), { code: 0, output: /Inserted 7 ranges\. 0 would/ });
  t.equal((await waiting.call('DELETE', '/v1/ranges/3300')).status, 204);
  t.equal((await waiting.call('POST', '/v1/ranges', { project: 'mine', startPort: 3300 })).status, 201);
  t.match(await runCommand(t, ['seed'], variables), { code: 0, output: /Inserted 0 ranges\. 7 would/ });
  t.equal((await waiting.call('GET', '/v1/ranges/3300')).body.project, 'mine', 'seeding never overwrites');
  t.equal(await waiting.kill('SIGTERM'), 0);

  t.test('SEED_ON_START does not bring back a range that was deleted', async (t) => {
    const client = await connect(t, url);
    await client.query('delete from port_ranges where start_port = 3300');
    const service = await startService(t, { ...variables, SEED_ON_START: 'true' }).ready();
    t.equal((await service.call('GET', '/v1/ranges/3300')).body.code, 'range-not-found');
    t.equal(await service.kill('SIGTERM'), 0);
  });

  t.test('a schema that is newer than the code is left alone', async (t) => {
    const client = await connect(t, url);
    await client.query("insert into port_allocator_migrations (name) values ('9999_from_the_future')");
    const before = await client.query('select * from port_allocator_migrations order by name');
    const service = await startService(t, variables).ready();
    t.match(await service.call('PUT', '/v1/projects/consilio/services/api'), { status: 201, body: { port: 3100 } });
    t.match(await runCommand(t, ['migrate'], variables), { code: 0 });
    t.same((await client.query('select * from port_allocator_migrations order by name')).rows, before.rows);
    t.equal(await service.kill('SIGTERM'), 0);
  });
});
