import { setTimeout } from 'node:timers/promises';
import { sql } from 'kysely';
import t from 'tap';
import type { Database } from '../../src/database/connect.js';
import { makeApp, requester } from '../helpers/app.js';
import { createDatabase, openPostgres } from '../helpers/database.js';

const RELEASED = 50_000;
const HELD = 40;
/** Full ranges of other projects. */
const OTHERS = 100;
const ROUNDS = 20;

/** What the statistics collector counted since they were reset. */
interface Reads {
  sequential: number;
  /** Index entries read, of dead and living rows. */
  entries: Record<string, number>;
}

for (const analyzed of [true, false]) {
  const mood = analyzed ? 'a table that was analysed' : 'a table nobody has analysed yet';
  t.test(`allocation and look-up read what the range holds and nothing else, in ${mood}`, async (t) => {
    const url = await createDatabase(t, process.env.TEST_TEMPLATE);
    const observer = await openPostgres(t, url);
    // Which mood the planner is in is this test's to say, and not for autovacuum when it happens to come by.
    await sql`alter table port_allocations set (autovacuum_enabled = false)`.execute(observer.db);
    await observer.withoutLimits(async (db) => {
      await sql`
        insert into port_allocations (port, project, service, status, released_at)
        select 3100 + i % 100, 'consilio', 'old', 'released', clock_timestamp() - make_interval(secs => i)
        from generate_series(1, ${RELEASED}::integer) i`.execute(db);
      await sql`
        insert into port_allocations (port, project, service)
        select 3100 + i, 'consilio', 'held-' || i from generate_series(0, ${HELD - 1}::integer) i`.execute(db);
      await sql`
        insert into port_ranges (start_port, end_port, project)
        select 20000 + 100 * i, 20099 + 100 * i, 'other-' || i from generate_series(0, ${OTHERS - 1}::integer) i
      `.execute(db);
      await sql`
        insert into port_allocations (port, project, service)
        select port, project, 'held-' || port from port_ranges, generate_series(start_port, end_port) port
        where project like 'other-%'`.execute(db);
    });
    if (analyzed) await sql`analyze`.execute(observer.db);

    const database = await openPostgres(t, url);
    const request = requester(await makeApp(t, database));
    await sql`select pg_stat_reset()`.execute(observer.db);
    for (let round = 0; round < ROUNDS; round++) {
      const allocated = await request('POST', '/v1/projects/consilio/allocations', { service: 'new' });
      t.equal(allocated.body.port, 3100 + HELD);
      t.equal((await request('PUT', '/v1/projects/consilio/services/held-7')).status, 200);
      t.equal((await request('GET', `/v1/allocations/${allocated.body.id}`)).status, 200);
      t.equal((await request('DELETE', `/v1/allocations/${allocated.body.id}`)).status, 200);
    }
    await database.close();
    await everyOtherBackendIsGone(observer.db);
    const reads = await readsOf(observer.db);

    t.equal(reads.sequential, 0, 'the table is never read from end to end');
    t.ok((reads.entries.port_allocations_active_key ?? 0) >= ROUNDS, 'look-ups use the index of keys');
    t.ok((reads.entries.port_allocations_pkey ?? 0) >= 2 * ROUNDS, 'look-ups by id and releases use the primary key');
    // The gap search reads what is held in the range, and at the worst the dead entries of this very run.
    const gaps = reads.entries.port_allocations_active_port ?? 0;
    t.ok(gaps >= HELD * ROUNDS, `the search for gaps uses the index of active ports: ${JSON.stringify(reads.entries)}`);
    t.ok(gaps <= (HELD + 2 * ROUNDS) * ROUNDS, `${gaps} entries for ${ROUNDS} allocations`);
    const all = Object.values(reads.entries).reduce((sum, count) => sum + count, 0);
    t.ok(all < RELEASED, `${all} index entries in all: far from the ${RELEASED} released rows each time`);
  });
}

/** A backend hands in its counts before it leaves the list of activity; a connection can be closed earlier. */
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
  const tables = await sql<{ seq_tup_read: string }>`
    select seq_tup_read from pg_stat_user_tables where relname = 'port_allocations'`.execute(db);
  const indexes = await sql<{ name: string; entries: string }>`
    select indexrelname as name, idx_tup_read as entries from pg_stat_user_indexes
    where relname = 'port_allocations'`.execute(db);
  const entries = Object.fromEntries(indexes.rows.map(({ name, entries }) => [name, Number(entries)]));
  return { sequential: Number(tables.rows[0]?.seq_tup_read), entries };
}
