import { type Kysely, sql } from 'kysely';
import t from 'tap';
import { loadConfig } from '../../src/config.js';
import { connectDatabase } from '../../src/database/connect.js';
import type { Tables } from '../../src/database/tables.js';
import { runRetention } from '../../src/services/retention.js';
import { createDatabase, openPostgres, silentLog } from '../helpers/database.js';

t.test('old rows are deleted in batches, but nothing that is held or cooling down', async (t) => {
  const { db } = await openPostgres(t);
  await sql`update port_ranges set reuse_cooldown_seconds = 2592000 where project = 'consilio'`.execute(db);
  const insert = (project: string, port: number, releasedDaysAgo: number | null) =>
    sql`
    insert into port_allocations (port, project, service, status, released_at) values (
      ${port}, ${project}, 'api', ${releasedDaysAgo === null ? 'allocated' : 'released'},
      clock_timestamp() - make_interval(days => ${releasedDaysAgo}))`.execute(db);
  await insert('odin', 3300, null);
  await insert('odin', 3300, 3);
  await insert('odin', 3301, 40);
  await sql`
    insert into port_health_checks (allocation_id, project, port, host, outcome, checked_at)
    select id, project, port, host, 'open', clock_timestamp() - make_interval(days => i % 2 * 10)
    from port_allocations cross join generate_series(1, 2400) i where released_at is null`.execute(db);
  await sql`
    insert into port_audits (unallocated, fully_probed_hosts, requested_by, checked_at, duration_ms, allocated, in_use,
                             not_running, checked_ports, conflicts)
    select false, '{}', 'schedule', clock_timestamp() - make_interval(days => i % 2 * 10), 1, 0, 0, 0, 0, '[]'
    from generate_series(1, 260) i`.execute(db);

  t.same(await runRetention(db, { healthCheckRetentionDays: 7, historyRetentionDays: null, eventRetentionDays: 90 }), {
    healthChecks: 1200,
    audits: 130,
    events: 0,
    deliveries: 0,
    allocations: 0,
  });
  // The longest cooldown is 30 days, so the row released 3 days ago may still be needed to compute a cooldown.
  t.same(await runRetention(db, { healthCheckRetentionDays: 7, historyRetentionDays: 1, eventRetentionDays: 90 }), {
    healthChecks: 0,
    audits: 0,
    events: 0,
    deliveries: 0,
    allocations: 1,
  });
  await sql`update port_ranges set reuse_cooldown_seconds = 0`.execute(db);
  t.match(await runRetention(db, { healthCheckRetentionDays: 7, historyRetentionDays: 1, eventRetentionDays: 90 }), {
    allocations: 1,
  });
  const left = await db.selectFrom('port_allocations').select(['port', 'status']).execute();
  t.same(left, [{ port: 3300, status: 'allocated' }]);
});

const SHORT_HISTORY = { healthCheckRetentionDays: 7, historyRetentionDays: 1, eventRetentionDays: 90 };
const MOST_ROWS = 1000;
const LOCK_TIMEOUT_MS = 200;

/** Inserts allocations that were released more than a day ago. The checks are young. @param checks of each allocation */
async function insertHistory(db: Kysely<Tables>, allocations: number, checks: (i: number) => number): Promise<void> {
  const counts = JSON.stringify(Array.from({ length: allocations }, (_, i) => checks(i)));
  await sql`
    with old as (
      insert into port_allocations (port, project, service, status, released_at)
      select 9000 + i, 'shared-services', 'old', 'released', clock_timestamp() - make_interval(days => 9, secs => -i)
      from generate_series(0, ${allocations - 1}::integer) i returning id, project, port, host
    ), counts as (
      select 8999 + place as port, count::integer from jsonb_array_elements_text(${counts}::jsonb)
        with ordinality c (count, place)
    )
    insert into port_health_checks (allocation_id, project, port, host, outcome)
    select id, project, port, host, 'open' from old join counts using (port) cross join lateral generate_series(1, count)
  `.execute(db);
}

const countChecks = async (db: Kysely<Tables>) =>
  (await sql<{ count: number }>`select count(*)::integer from port_health_checks`.execute(db)).rows[0]?.count ?? 0;

t.test('the health checks of old allocations are deleted in small transactions, however many there are', async (t) => {
  const { db } = await openPostgres(t);
  await insertHistory(db, 1200, (i) => (i === 500 ? 2500 : i % 300 === 0 ? 700 : i % 7 === 0 ? 1 : 0));
  const healthChecks = await countChecks(db);
  await sql`
    create function count_deleted() returns trigger language plpgsql as $$
    declare
      total integer := coalesce(nullif(current_setting('test.deleted', true), ''), '0')::integer;
    begin
      total := total + (select count(*) from gone);
      perform set_config('test.deleted', total::text, true);
      if total > ${sql.lit(MOST_ROWS)} then raise 'one transaction deletes % rows', total; end if;
      return null;
    end $$`.execute(db);
  await sql`
    create trigger count_deleted after delete on port_health_checks
    referencing old table as gone for each statement execute function count_deleted()`.execute(db);
  t.same(await runRetention(db, SHORT_HISTORY), {
    healthChecks,
    audits: 0,
    deliveries: 0,
    events: 0,
    allocations: 1200,
  });
  t.equal(await countChecks(db), 0);
});

t.test('if one batch fails, what was deleted before stays deleted, and the next pass goes on', async (t) => {
  const url = await createDatabase(t, process.env.TEST_TEMPLATE);
  const { db } = await openPostgres(t, url);
  await insertHistory(db, 5, () => 1500);
  const config = loadConfig({ DATABASE_URL: url, LOCK_TIMEOUT_MS: String(LOCK_TIMEOUT_MS) });
  const { db: own, close } = await connectDatabase(config, silentLog);
  t.teardown(close);
  await db.transaction().execute(async (trx) => {
    await sql`select from port_health_checks where port = 9003 limit 1 for update`.execute(trx);
    await t.rejects(runRetention(own, SHORT_HISTORY), { code: '55P03' }, 'the lock is not given in time');
    const left = await countChecks(db);
    t.ok(left > 1500 && left <= 3500, `${left} of 7500 are left`);
  });
  t.match(await runRetention(own, SHORT_HISTORY), { allocations: 5 });
  t.equal(await countChecks(db), 0);
});
