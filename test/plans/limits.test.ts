// What it costs to count what a project holds when it is at its limits.
import { type RawBuilder, sql } from 'kysely';
import t from 'tap';
import type { Needs } from '../../src/allocator/command.js';
import { Allowances } from '../../src/allocator/limits/allowances.js';
import { planUsage } from '../../src/allocator/limits/usage.js';
import { UNLIMITED } from '../../src/config/project-limits.js';
import { findOldestToKeep } from '../../src/repositories/retention.js';
import { openPostgres, withoutAutovacuum } from '../helpers/database.js';
import { key } from '../helpers/project-commands.js';

const LIMITS = {
  hosts: 1000,
  environments: 1000,
  reservations: 10_000,
  idempotencyKeys: 100_000,
  healthChecks: 100_000,
};
const PORTS = 100;

interface Plan {
  'Node Type': string;
  'Index Name'?: string;
  'Actual Rows': number;
  'Actual Loops': number;
  Plans?: Plan[];
}

/** How often each index was scanned, the rows that were read in all, and the time in ms. */
async function explain(db: Awaited<ReturnType<typeof openPostgres>>['db'], query: RawBuilder<unknown>) {
  const { rows } = await db.transaction().execute((trx) =>
    sql<{
      'QUERY PLAN': [{ Plan: Plan; 'Execution Time': number }];
    }>`explain (analyze, format json) ${query}`.execute(trx),
  );
  const [{ Plan: plan, 'Execution Time': ms }] = (rows[0] as (typeof rows)[0])['QUERY PLAN'];
  const indexes = new Set<string>();
  let read = 0;
  const visit = (node: Plan) => {
    if (/Seq Scan|Index/.test(node['Node Type'])) {
      indexes.add(node['Index Name'] ?? node['Node Type']);
      read += node['Actual Loops'];
      read += node['Actual Rows'] * node['Actual Loops'];
    }
    for (const child of node.Plans ?? []) visit(child);
  };
  visit(plan);
  return { indexes: [...indexes].sort(), read: Math.round(read), ms };
}

t.test('counts at the limits', async (t) => {
  const database = await openPostgres(t);
  await withoutAutovacuum(database.db);
  await database.withoutLimits(async (db) => {
    for (const [project, start] of [
      ['odin', 3300],
      ['consilio', 3100],
    ] as const) {
      await sql`
        insert into port_allocations (port, project, service, environment, host)
        select ${start}::integer + p, ${project}, 'web', 'env-' || (h * ${PORTS}::integer + p) % ${LIMITS.environments}::integer, 'h' || h || '.' || ${project}
        from generate_series(1, ${LIMITS.hosts}::integer) h, generate_series(0, ${PORTS - 1}::integer) p`.execute(db);
    }
    await sql`
      insert into port_allocations (port, project, service)
      select ${3300}::integer + p, 'odin', 'web' from generate_series(0, ${PORTS - 1}::integer) p`.execute(db);
    await sql`
      insert into port_reservations (port, project, host, expires_at, ended_at, status)
      select 3300 + i % 100, project, 'reserved-' || i % 50, clock_timestamp(), clock_timestamp(), 'cancelled'
      from generate_series(1, ${LIMITS.reservations}::integer) i, unnest(array['odin', 'consilio']) project`.execute(
      db,
    );
    await sql`
      insert into idempotency_keys (project, caller, key, request_hash, response)
      select project, 'c' || i % 3, 'key-' || i, '', '{}'
      from generate_series(1, ${LIMITS.idempotencyKeys}::integer) i, unnest(array['odin', 'consilio']) project`.execute(
      db,
    );
    await sql`
      insert into port_health_checks (allocation_id, project, port, host, outcome, checked_at)
      select a.id, project, a.port, a.host, 'refused', clock_timestamp() - make_interval(secs => i)
      from port_allocations a, generate_series(1, 1100) i
      where a.host = 'localhost' and a.project = 'odin'`.execute(db);
  });
  const allowances = () => new Allowances({ ...UNLIMITED, ...LIMITS });
  /** What is counted, the needs that ask for it, and how many index entries and look-ups that takes at most. */
  const counts: [name: string, needs: Needs, most: number][] = [
    ['hosts', { takes: [{ ...key('web', { host: 'new' }), port: null }] }, 2 * LIMITS.hosts + PORTS],
    ['a host that is held', { takes: [{ ...key('web', { host: 'h7.odin' }), port: null }] }, 10],
    ['environments', { environments: ['new'] }, 2 * LIMITS.environments + PORTS],
    ['an environment that is held', { environments: ['env-7'] }, 10],
    ['reservations', { reserves: true }, LIMITS.reservations + 10],
    ['idempotency keys', { idempotency: { caller: 'c', key: 'k', requestHash: '' } }, LIMITS.idempotencyKeys + 10],
  ];
  for (const mood of ['nobody has analysed yet', 'was analysed']) {
    if (mood === 'was analysed') await sql`vacuum analyze`.execute(database.db);
    for (const [name, needs, most] of counts) {
      const query = planUsage('odin', [needs], allowances()).query as RawBuilder<unknown>;
      const { read, indexes, ms } = await explain(database.db, query);
      t.ok(read <= most, `${name}, in tables that ${mood}: ${read} entries of ${indexes}, at most ${most}; ${ms} ms`);
      t.notOk(indexes.includes('Seq Scan'), 'no table is read from end to end');
    }
    const began = performance.now();
    await database.db.transaction().execute((trx) => findOldestToKeep(trx, 'odin', LIMITS.healthChecks));
    t.comment(`the oldest of ${LIMITS.healthChecks} health checks: ${Math.round(performance.now() - began)} ms`);
  }
});
