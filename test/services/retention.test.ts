import { sql } from 'kysely';
import t from 'tap';
import { runRetention } from '../../src/services/retention.js';
import { openPostgres } from '../helpers/database.js';

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
    insert into port_health_checks (allocation_id, port, host, outcome, checked_at)
    select id, port, host, 'open', clock_timestamp() - make_interval(days => i % 2 * 10)
    from port_allocations cross join generate_series(1, 2400) i where released_at is null`.execute(db);

  t.same(await runRetention(db, { healthCheckRetentionDays: 7, historyRetentionDays: null }), {
    healthChecks: 1200,
    allocations: 0,
  });
  // The longest cooldown is 30 days, so the row released 3 days ago may still be needed to compute a cooldown.
  t.same(await runRetention(db, { healthCheckRetentionDays: 7, historyRetentionDays: 1 }), {
    healthChecks: 0,
    allocations: 1,
  });
  await sql`update port_ranges set reuse_cooldown_seconds = 0`.execute(db);
  t.match(await runRetention(db, { healthCheckRetentionDays: 7, historyRetentionDays: 1 }), { allocations: 1 });
  const left = await db.selectFrom('port_allocations').select(['port', 'status']).execute();
  t.same(left, [{ port: 3300, status: 'allocated' }]);
});
