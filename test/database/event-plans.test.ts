// The triggers that write events compare the rows before a statement with those after it. A session keeps the plan that
// it has made for updates of single rows, and must not read all rows before for each row after when thousands change.
import pg from 'pg';
import { type Test, test } from 'tap';
import { createDatabase } from '../helpers/database.js';

/** More than the five executions after which PostgreSQL may keep a plan. */
const SMALL_UPDATES = 10;
const ROWS = 300;

const cases = {
  allocations: {
    rows: `insert into port_allocations (port, project, service)
      select 19000 + i, 'many', 'service-' || i from generate_series(0, ${ROWS - 1}) i`,
    small: "update port_allocations set description = 'x', status = 'in_use' where port = 19000",
    large: "update port_allocations set status = 'released', released_at = now() where project = 'many'",
  },
  reservations: {
    rows: `insert into port_reservations (port, project, expires_at)
      select 19000 + i, 'many', 'infinity' from generate_series(0, ${ROWS - 1}) i`,
    small: "update port_reservations set reason = 'x' where port = 19000",
    large: "update port_reservations set status = 'cancelled', ended_at = now() where project = 'many'",
  },
};

for (const [table, { rows, small, large }] of Object.entries(cases)) {
  test(`the events of many ${table} are written in one pass, also after many small updates`, async (t: Test) => {
    const plans: string[] = [];
    const session = new pg.Client({ connectionString: await createDatabase(t, process.env.TEST_TEMPLATE) });
    session.on('notice', ({ message }) => plans.push(message ?? ''));
    await session.connect();
    t.teardown(() => session.end());
    await session.query(
      "insert into port_ranges (start_port, end_port, project, kind) values (19000, 19999, 'many', 'shared')",
    );
    await session.query(rows);
    for (let i = 0; i < SMALL_UPDATES; i++) await session.query(small);
    await session.query("load 'auto_explain'");
    await session.query('set auto_explain.log_min_duration = 0');
    await session.query('set auto_explain.log_nested_statements = on');
    await session.query('set auto_explain.log_analyze = on');
    await session.query('set auto_explain.log_level = notice');
    await session.query(large);

    const plan = plans.find((text) => text.includes('insert into new_events')) ?? '';
    const scans = [...plan.matchAll(/Named Tuplestore Scan .*rows=(\d+).*loops=(\d+)/g)];
    t.strictSame(
      scans.map(([, rows, loops]) => [rows, loops]),
      [
        [String(ROWS), '1'],
        [String(ROWS), '1'],
      ],
      plan,
    );
  });
}
