import { setTimeout } from 'node:timers/promises';
import { sql } from 'kysely';
import t, { type Test } from 'tap';
import type { Database } from '../../src/database/connect.js';
import { deleteEnded, markExpired } from '../../src/repositories/reservations.js';
import { runRetention } from '../../src/services/retention.js';
import { makeApp, requester } from '../helpers/app.js';
import { createDatabase, openPostgres, withoutAutovacuum } from '../helpers/database.js';

const RELEASED = 50_000;
const HELD = 40;
/** Longer than all calls take, so that the ports that cool down at first still do at the end. */
const COOLDOWN_SECONDS = 30;
/** Full ranges of other projects. */
const OTHERS = 100;
const ROUNDS = 20;
/** The calls of a round that read which ports of a range are taken: four that take the lowest, a port, a summary. */
const SEARCHES = 6 * ROUNDS;
/**
 * The reads of cooling ports in a range where nothing is held: a call that takes a port, a summary, and a page of the
 * list, twice at most.
 */
const COOLING_LOOKS = 6 * ROUNDS;
const RANGE_PORTS = 100;
/** Of the history of a port, a round reads a page of ten, and one more. */
const HISTORY_ENTRIES = ROUNDS * 11;
/** Excluded ports, in no range that the calls are about. */
const EXCLUDED = 5000;
/** Idempotency keys, reservations that ended, health checks and kept hostnames, all too young to be deleted. */
const RECENT = 20_000;
const TABLES = [
  'port_allocations',
  'idempotency_keys',
  'port_reservations',
  'port_health_checks',
  'kept_hostnames',
  'environments',
  'excluded_ports',
  'port_audits',
];

/** What PostgreSQL has counted since its statistics were reset. */
interface Reads {
  /** Rows read by scans of a whole table, by table. */
  sequential: Record<string, number>;
  /** Index entries read, of dead and living rows. */
  entries: Record<string, number>;
}

for (const analyzed of [true, false]) {
  const mood = analyzed ? 'a table that was analysed' : 'a table nobody has analysed yet';
  t.test(`every operation and sweep reads what it needs and no table from end to end, in ${mood}`, async (t) => {
    const url = await createDatabase(t, process.env.TEST_TEMPLATE);
    const observer = await openPostgres(t, url);
    await withoutAutovacuum(observer.db);
    await observer.withoutLimits(async (db) => {
      await sql`
        insert into port_allocations (port, project, service, status, released_at)
        select 3100 + i % 100, 'consilio', 'old', 'released', clock_timestamp() - make_interval(secs => i)
        from generate_series(1, ${RELEASED}::integer) i`.execute(db);
      await sql`
        insert into port_ranges (start_port, end_port, project, reuse_cooldown_seconds)
        values (19900, 19999, 'cooling', ${COOLDOWN_SECONDS})`.execute(db);
      await sql`
        insert into port_allocations (port, project, service, status, released_at)
        select 19900 + i % 100, 'cooling', 'old', 'released', clock_timestamp() - make_interval(secs => i)
        from generate_series(1, ${RELEASED}::integer) i`.execute(db);
      await sql`
        insert into port_allocations (port, project, service)
        select 3100 + i, 'consilio', 'held-' || i from generate_series(0, ${HELD - 1}::integer) i`.execute(db);
      await sql`
        insert into port_ranges (start_port, end_port, project)
        select 20000 + 100 * i, 20099 + 100 * i, 'other-' || i from generate_series(0, ${OTHERS - 1}::integer) i
      `.execute(db);
      await sql`
        insert into port_allocations (port, project, service, cloudflare_hostname)
        select port, project, 'held-' || port, 'h' || port || '.example' from port_ranges, generate_series(start_port, end_port) port
        where project like 'other-%'`.execute(db);
      await sql`
        insert into kept_hostnames (hostname, project, kept_until)
        select 'k' || i || '.example', 'other-1', clock_timestamp() + interval '1 hour'
        from generate_series(1, ${RECENT}::integer) i`.execute(db);
      await sql`
        insert into environments (project, environment, path)
        select distinct project, environment, '/home/kim/' || project from port_allocations where released_at is null
        union all select 'gone', 'e' || i, '/home/kim/gone-' || i from generate_series(1, ${RECENT}::integer) i
      `.execute(db);
      await sql`
        insert into excluded_ports
        select port, 'Taken here' from generate_series(30000, ${29_999 + EXCLUDED}::integer) port`.execute(db);
      await sql`
        insert into idempotency_keys (project, caller, key, request_hash, response)
        select 'other-1', '', 'key-' || i, '', '{}' from generate_series(1, ${RECENT}::integer) i`.execute(db);
      await sql`
        insert into port_reservations (port, project, created_at, expires_at, ended_at, status)
        select 3200 + i % 100, 'openhorizon', clock_timestamp(), clock_timestamp() + interval '1 hour',
               clock_timestamp(), 'cancelled'
        from generate_series(1, ${RECENT}::integer) i`.execute(db);
      await sql`
        insert into port_health_checks (allocation_id, project, port, host, outcome)
        select id, project, port, host, 'open'
        from port_allocations, generate_series(1, ${RECENT / HELD}::integer) i
        where project = 'consilio' and released_at is null`.execute(db);
      await sql`
        insert into port_audits (project, host, covers, unallocated, fully_probed_hosts, requested_by, duration_ms, allocated,
                                 in_use, not_running, checked_ports, conflicts)
        select project, 'localhost', case when project is not null then array[project] end, false, '{}', 'ci', 1, 1, 1, 0, 1, '[]'
        from (select case when i % 3 > 0 then 'audited-' || i % 30 end as project from generate_series(1, ${RECENT / 10}::integer) i) s
      `.execute(db);
    });
    if (analyzed) await sql`analyze`.execute(observer.db);
    await everyOtherBackendIsGone(observer.db); // on a busy machine, what it has read here would be counted after the reset

    const database = await openPostgres(t, url);
    const request = requester(await makeApp(t, database));
    await sql`select pg_stat_reset()`.execute(observer.db);
    for (let round = 0; round < ROUNDS; round++) await askForEverything(t, request, round);
    // For a table without statistics, PostgreSQL assumes that a third of the rows match such a comparison.
    if (analyzed) await sweep(database.db);
    await database.close();
    await everyOtherBackendIsGone(observer.db);
    const reads = await readsOf(observer.db);

    for (const table of TABLES) t.equal(reads.sequential[table], 0, `${table} is never read from end to end`);
    t.ok((reads.entries.port_allocations_active_key ?? 0) >= ROUNDS, 'look-ups use the index of keys');
    t.ok((reads.entries.port_allocations_pkey ?? 0) >= 2 * ROUNDS, 'look-ups by id and releases use the primary key');
    // The search for a gap reads what is held in the range, and in the worst case the dead entries of this run.
    const gaps = reads.entries.port_allocations_active_port ?? 0;
    t.ok(
      gaps >= HELD * SEARCHES,
      `the search for gaps uses the index of active ports: ${JSON.stringify(reads.entries)}`,
    );
    t.ok(gaps <= (HELD + 2 * ROUNDS) * SEARCHES, `${gaps} entries for ${SEARCHES} searches`);
    const releases = reads.entries.port_allocations_releases ?? 0;
    t.ok(releases > 0, 'what cools down is found by the index of releases');
    t.ok(
      releases <= RANGE_PORTS * COOLING_LOOKS + HISTORY_ENTRIES,
      `${releases} entries: the last release of each port, and pages of history`,
    );
    t.ok((reads.entries.excluded_ports_pkey ?? 0) > 0, 'excluded ports are found by their primary key');
    // Audits are no rows that were released. As many as are kept of a scope may be read.
    const others = Object.entries(reads.entries).filter(([index]) => !index.startsWith('port_audits'));
    const all = others.reduce((sum, [, count]) => sum + count, 0);
    t.ok(all < RELEASED, `${all} index entries in all: far from the ${RELEASED} released rows each time`);
  });
}

/** Calls the operations that change or look up what a project holds. What they allocate is released again. */
async function askForEverything(t: Test, request: ReturnType<typeof requester>, round: number): Promise<void> {
  const ask = async (status: number, ...asked: Parameters<typeof request>) => {
    const answer = await request(...asked);
    t.equal(answer.status, status, `${asked[0]} ${asked[1]}`);
    return answer.body;
  };
  const project = '/v1/projects/consilio';
  const key = { 'idempotency-key': `new-${round}` };
  const { id, port } = await ask(201, 'POST', `${project}/allocations`, { service: 'new' }, key);
  t.equal(port, 3100 + HELD);
  await ask(200, 'GET', `/v1/allocations/${id}`);
  await ask(200, 'PATCH', `/v1/allocations/${id}`, { description: `in round ${round}` });
  const withheld = await ask(200, 'PATCH', `/v1/allocations/${id}`, {
    cloudflareHostname: `h200${10 + round}.example`,
  });
  t.match(withheld.warnings, [/not routed/]);
  await ask(200, 'DELETE', `/v1/allocations/${id}`);
  await ask(200, 'PUT', `${project}/services/held-7`);
  await ask(201, 'PUT', `${project}/services/new`);
  await ask(200, 'GET', `${project}/services/new`);
  await ask(200, 'DELETE', `${project}/services/new`);
  await ask(201, 'POST', `${project}/allocations`, { service: 'new', port: 3190 });
  await ask(409, 'POST', `${project}/allocations`, { service: 'new', port: 3190 });
  await ask(200, 'DELETE', `${project}/services/new`);
  await ask(201, 'PUT', `${project}/environments/staging`, { services: [{ service: 'a' }, { service: 'b' }] });
  await ask(200, 'GET', `${project}/environments/staging`);
  const folder = { services: [{ service: 'a' }], path: '/home/kim/staging' };
  await ask(200, 'PUT', `${project}/environments/staging`, folder);
  await ask(200, 'PUT', `${project}/environments/staging?createProject=true`, folder);
  const here = await ask(200, 'GET', '/v1/environments?path=/home/kim/staging&unusedForSeconds=0');
  t.match(here.items, [{ project: 'consilio', environment: 'staging', ports: 2 }]);
  const page = await ask(200, 'GET', '/v1/environments?limit=2');
  t.equal(page.items.length, 2);
  await ask(200, 'GET', `/v1/environments?limit=2&cursor=${page.nextCursor}`);
  await ask(200, 'DELETE', `${project}/environments/staging`);
  const reservation = await ask(201, 'POST', `${project}/reservations`, { ttlSeconds: 60 });
  await ask(200, 'PATCH', `/v1/reservations/${reservation.id}`, { ttlSeconds: 120 });
  await ask(201, 'POST', `/v1/reservations/${reservation.id}/claim`, { service: 'new' });
  await ask(200, 'DELETE', `${project}/services/new`);
  const cancelled = await ask(201, 'POST', `${project}/reservations`, { ttlSeconds: 60, port: 3195 });
  await ask(200, 'DELETE', `/v1/reservations/${cancelled.id}`);
  for (const query of ['', '&project=audited-7', '&covering=true', '&covering=true&project=audited-7&host=localhost']) {
    await ask(200, 'GET', `/v1/audits?limit=1${query}`);
  }
  await ask(200, 'GET', '/v1/ports/3190');
  await ask(200, 'GET', '/v1/ports/3190/history?limit=10');
  await ask(201, 'PUT', '/v1/excluded-ports/3199', { reason: 'Taken here' });
  await ask(200, 'PUT', '/v1/excluded-ports/3199', { reason: 'Taken there' });
  const { nextCursor } = await ask(200, 'GET', '/v1/excluded-ports?limit=2');
  await ask(200, 'GET', `/v1/excluded-ports?limit=2&cursor=${nextCursor}`);
  await ask(204, 'DELETE', '/v1/excluded-ports/3199');
  await ask(200, 'GET', `${project}/summary`);
  await ask(201, 'PUT', '/v1/projects/cooling/services/new', { cloudflareHostname: 'new.example' });
  await ask(200, 'DELETE', '/v1/projects/cooling/services/new');
  await ask(200, 'GET', '/v1/projects/cooling/summary');
  const cooling = await ask(200, 'GET', '/v1/allocations?status=cooling&limit=1&project=cooling');
  t.match(cooling.items, [{ project: 'cooling', status: 'released' }]);
}

async function sweep(db: Database['db']): Promise<void> {
  t.equal(await markExpired(db, RECENT), 0);
  t.equal(await deleteEnded(db, RECENT), 0);
  const kept = { healthCheckRetentionDays: 7, historyRetentionDays: 30, eventRetentionDays: 90 };
  t.same(await runRetention(db, kept), { healthChecks: 0, audits: 0, deliveries: 0, events: 0, allocations: 0 });
}

/** Waits until the backends have ended: each reports its counts before it disappears from pg_stat_activity. */
async function everyOtherBackendIsGone(db: Database['db']): Promise<void> {
  for (let attempt = 0; attempt < 200; attempt++) {
    const { rows } = await sql`
      select from pg_stat_activity
      where datname = current_database() and backend_type = 'client backend' and pid <> pg_backend_pid()`.execute(db);
    if (rows.length === 0) return;
    await setTimeout(100);
  }
  throw new Error('a backend was still there after 20 s');
}

async function readsOf(db: Database['db']): Promise<Reads> {
  const tables = await sql<{ name: string; rows: string }>`
    select relname as name, seq_tup_read as rows from pg_stat_user_tables`.execute(db);
  const indexes = await sql<{ name: string; rows: string }>`
    select indexrelname as name, idx_tup_read as rows from pg_stat_user_indexes`.execute(db);
  const byName = (counts: typeof tables) =>
    Object.fromEntries(counts.rows.map(({ name, rows }) => [name, Number(rows)]));
  return { sequential: byName(tables), entries: byName(indexes) };
}
