// Callers of the SQL functions (as at a psql prompt) and callers of the service, concurrently in one project.
import pg from 'pg';
import t from 'tap';
import { seed } from '../../src/database/seed.js';
import { makeApp, requester } from '../helpers/app.js';
import { createDatabase, openPostgres } from '../helpers/database.js';
import { emptyRegistry, findViolations } from '../helpers/registry.js';

const url = await createDatabase(t);
const { db } = await openPostgres(t, url);
const request = requester(await makeApp(t, await openPostgres(t, url)));
const psql = new pg.Pool({ connectionString: url, max: 8 });
t.teardown(() => psql.end());

t.beforeEach(async () => {
  await emptyRegistry(db);
  await seed(db, 0);
});

async function allocateInSql(project: string, service: string): Promise<number> {
  const { rows } = await psql.query('select allocate_port($1, $2) as port', [project, service]);
  return rows[0].port;
}

async function allocateOverHttp(project: string, service: string): Promise<number> {
  const { status, body } = await request('POST', `/v1/projects/${project}/allocations`, { service });
  if (status !== 201) throw Object.assign(new Error(body.detail), { code: body.code });
  return body.port;
}

const span = (first: number, count: number) => Array.from({ length: count }, (_, i) => first + i);

t.test('allocate_port() and the service together hand out each port once and leave no gap', async (t) => {
  const ports = await Promise.all(
    span(0, 80).map((i) => (i % 2 ? allocateInSql('odin', `sql${i}`) : allocateOverHttp('odin', `http${i}`))),
  );
  t.same(
    ports.sort((a, b) => a - b),
    span(3300, 80),
  );
  t.same(await findViolations(db), []);
});

t.test('150 callers of both kinds for 100 ports: 100 get one, 50 hear that none is left', async (t) => {
  const outcomes = await Promise.allSettled(
    span(0, 150).map((i) => (i % 2 ? allocateInSql('consilio', `sql${i}`) : allocateOverHttp('consilio', `http${i}`))),
  );
  const ports = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []));
  const codes = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason.code] : []));
  t.same(
    ports.sort((a, b) => a - b),
    span(3100, 100),
  );
  // It is not specified which kind of caller gets the ports.
  t.same(
    codes.filter((code) => code !== 'PA002' && code !== 'range-exhausted'),
    [],
  );
  t.equal(codes.length, 50);
});

t.test('allocations and releases of both kinds lose nothing and double nothing', async (t) => {
  /** The ports that should be held. */
  const held = new Set<number>();
  const worker = async (name: number) => {
    for (let i = 0; i < 40; i++) {
      const port = await (name % 2 ? allocateInSql : allocateOverHttp)('consilio', `s${name}`);
      if (held.has(port)) t.fail(`port ${port} was handed out while it was held`);
      held.add(port);
      if (i % 4 === 3) continue; // kept
      held.delete(port); // before the release, since the port may have another holder right after it
      if ((name + i) % 2) {
        const { rows } = await psql.query('select release_port($1) as released', [port]);
        t.equal(rows[0].released, true, 'release_port() found it held');
      } else {
        const { body } = await request('GET', `/v1/ports/${port}`);
        t.equal((await request('DELETE', `/v1/allocations/${body.allocation.id}`)).status, 200);
      }
    }
  };
  await Promise.all(span(0, 8).map(worker));
  const { rows } = await psql.query(
    "select port from active_port_allocations where project = 'consilio' order by port",
  );
  t.same(
    rows.map(({ port }) => port),
    [...held].sort((a, b) => a - b),
  );
  t.equal(held.size, 80);
  t.same(await findViolations(db), []);
  const { body: summary } = await request('GET', '/v1/projects/consilio/summary');
  t.match(summary, { allocatedPorts: 80, availablePorts: 20, utilization: 80 });
  const history = await psql.query("select count(*)::integer as count from port_allocations where status = 'released'");
  t.equal(history.rows[0].count, 8 * 30);
});

t.test('of release_port() and the service, one releases the port; the other finds it released', async (t) => {
  for (let round = 0; round < 20; round++) {
    const { body: held } = await request('PUT', '/v1/projects/consilio/services/api');
    t.equal(held.port, 3100);
    const [inSql, overHttp] = await Promise.all([
      psql.query('select release_port(3100) as released'),
      request('DELETE', `/v1/allocations/${held.id}`),
    ]);
    t.type(inSql.rows[0].released, 'boolean');
    t.equal(overHttp.body.status, 'released');
    const again = await request('GET', `/v1/allocations/${held.id}`);
    t.same(again.body, overHttp.body, 'the time of the first release stays');
  }
});

t.test('allocate_port() refuses an isolation level in which its snapshot may be stale', async (t) => {
  const client = await psql.connect();
  try {
    for (const level of ['repeatable read', 'serializable']) {
      await client.query(`begin isolation level ${level}`);
      await t.rejects(client.query("select allocate_port('consilio', 'api')"), { code: 'PA003' });
      await client.query('rollback');
      await client.query(`begin isolation level ${level}`);
      await t.rejects(client.query('select release_port(3100)'), { code: 'PA003' });
      await client.query('rollback');
    }
  } finally {
    client.release();
  }
});

t.test('allocate_port() of a project that just gets its first range has the range locked or refuses', async (t) => {
  const outcomes: unknown[] = [];
  for (let round = 0; round < 30; round++) {
    const project = `new${round}`;
    const [, ...allocated] = await Promise.allSettled([
      request('POST', '/v1/ranges', { project }),
      ...span(0, 4).map((i) => (i % 2 ? allocateInSql(project, `sql${i}`) : allocateOverHttp(project, `http${i}`))),
    ]);
    const refused = allocated.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason.code] : []));
    outcomes.push(...refused);
    const ports = allocated.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []));
    const [first = 0] = ports.sort((a, b) => a - b);
    t.same(ports, span(first, ports.length), 'no gap and none twice');
  }
  t.same(
    outcomes.filter((code) => code !== 'PA001' && code !== 'project-not-found'),
    [],
  );
});
