// What was released long ago costs nothing when one asks who held a port, or what was held at a moment.
import { sql } from 'kysely';
import t from 'tap';
import { loadConfig } from '../../src/config.js';
import { connectDatabase } from '../../src/database/connect.js';
import { makeApp, requester } from '../helpers/app.js';
import { createDatabase, openPostgres, silentLog, withoutAutovacuum } from '../helpers/database.js';

/** Ports of two projects. */
const PORTS = 800;
/** Ports that others hold. */
const HELD = 2000;
/** How often each was held, for a minute, with a minute between. */
const HOLDS = 1250;
const RELEASED = PORTS * HOLDS;
/** Two steps for each port that was ever released, and all that is held now. Reads of the table count twice. */
const MOST_READS = 4 * PORTS + 2 * HELD;
/** Ports that cool down, and those of the ranges with a cooldown. */
const [COOLING, IN_COOLING_RANGES] = [40, 500];
/** The last release of each port of those ranges, that of each cooling one again, and a step for each hundred ports. */
const MOST_COOLING_READS = IN_COOLING_RANGES + COOLING + PORTS / 100 + 1;
/** All that was released lately, the last release of each port of one range, and that of the port. */
const MOST_COOLING_READS_OF_ONE = COOLING + 100 + 1;
const BEGIN = '2026-01-01T00:00:00.000Z';
const momentOf = (hold: number, second: number) =>
  new Date(Date.parse(BEGIN) + hold * 120_000 + second * 1000).toISOString();

t.test(`with ${RELEASED} released rows`, async (t) => {
  const url = await createDatabase(t, process.env.TEST_TEMPLATE);
  const observer = await openPostgres(t, url);
  await withoutAutovacuum(observer.db);
  await observer.withoutLimits(async (db) => {
    // Their million events are of no interest here.
    await sql`alter table port_allocations disable trigger user`.execute(db);
    await sql`
      insert into port_allocations (port, project, service, status, allocated_at, released_at)
      select 3100 + i, case when i < ${PORTS / 2} then 'consilio' else 'odin' end,
             'old', 'released', moment, moment + interval '1 minute'
      from generate_series(0, ${HOLDS - 1}::integer) hold
      cross join lateral (select ${BEGIN}::timestamptz + hold * interval '2 minutes' as moment) m
      cross join generate_series(0, ${PORTS - 1}::integer) i`.execute(db);
    await sql`
      insert into port_allocations (port, project, service, allocated_at)
      select 20000 + i, 'other', 'held', ${BEGIN}::timestamptz from generate_series(0, ${HELD - 1}::integer) i`.execute(
      db,
    );
    await sql`
      insert into port_allocations (port, project, service, status, released_at)
      select 3105 + 10 * i, 'consilio', 'cooling', 'released', clock_timestamp()
      from generate_series(0, ${COOLING - 1}::integer) i`.execute(db);
    await sql`alter table port_allocations enable trigger user`.execute(db);
    await sql`
      update port_ranges set reuse_cooldown_seconds = 3600 where start_port between 3100 and 3500`.execute(db);
  });
  const config = loadConfig({ DATABASE_URL: url, DATABASE_POOL_SIZE: '1' });
  const database = await connectDatabase(config, silentLog);
  t.teardown(() => database.close());
  const request = requester(await makeApp(t, database));
  /** @returns the answer, and how many rows and index entries were read for it */
  const measure = async (path: string) => {
    const before = await countReads();
    const started = performance.now();
    const { status, body } = await request('GET', path);
    t.comment(`${path}: ${Math.round(performance.now() - started)} ms`);
    t.equal(status, 200, path);
    return { body, reads: (await countReads()) - before };
  };
  const countReads = async () => {
    await sql`select pg_stat_force_next_flush()`.execute(database.db);
    const { rows } = await sql<{ reads: string }>`
      select sum(seq_tup_read) + (
        select sum(idx_tup_read) from pg_stat_user_indexes where relname = 'port_allocations') as reads
      from pg_stat_user_tables where relname = 'port_allocations'`.execute(database.db);
    return Number(rows[0]?.reads);
  };

  for (const mood of ['that nobody has analysed', 'that was analysed']) {
    t.test(`in a table ${mood}`, async (t) => {
      if (mood === 'that was analysed') await sql`analyze port_allocations`.execute(observer.db);

      t.test('a page of the history of a port reads what it shows', async (t) => {
        const first = await measure('/v1/ports/3150/history?limit=10');
        t.equal(first.body.items.length, 10);
        t.equal(first.body.items[0].allocatedAt, momentOf(HOLDS - 1, 0));
        t.ok(first.reads <= 20, `${first.reads} entries`);
        const second = await measure(`/v1/ports/3150/history?limit=10&cursor=${first.body.nextCursor}`);
        t.equal(second.body.items[0].allocatedAt, momentOf(HOLDS - 11, 0));
        t.ok(second.reads <= 20, `${second.reads} entries`);
      });

      t.test('what was held at a moment is found in a few steps for each port', async (t) => {
        const held = momentOf(10, 30);
        for (const [query, items] of [
          [`at=${held}&limit=1000&project=consilio`, PORTS / 2],
          [`at=${held}&project=odin&limit=1000`, PORTS / 2],
          [`at=${held}&port=3150`, 1],
          [`at=${momentOf(10, 90)}&port=3150`, 0],
          [`at=${momentOf(HOLDS + 1, 0)}&limit=1000`, 1000],
        ] as const) {
          const { body, reads } = await measure(`/v1/allocations?${query}`);
          t.equal(body.items.length, items, query);
          t.ok(reads <= MOST_READS, `${query}: ${reads} entries`);
        }
        const { body } = await measure(`/v1/allocations?at=${held}`);
        const { reads } = await measure(`/v1/allocations?at=${held}&cursor=${body.nextCursor}`);
        t.ok(reads <= MOST_READS, `the next page: ${reads} entries`);
      });

      t.test('what cools down is found in a step for each port of the ranges with a cooldown', async (t) => {
        const first = await measure('/v1/allocations?status=cooling&limit=25');
        t.equal(first.body.items.length, 25);
        t.ok(first.reads <= MOST_COOLING_READS, `${first.reads} entries`);
        const next = await measure(`/v1/allocations?status=cooling&limit=25&cursor=${first.body.nextCursor}`);
        t.equal(next.body.items.length, COOLING - 25);
        t.ok(next.reads <= MOST_COOLING_READS, `the next page: ${next.reads} entries`);
        const one = await measure('/v1/allocations?status=cooling&port=3155');
        t.equal(one.body.items.length, 1);
        t.ok(one.reads <= MOST_COOLING_READS_OF_ONE, `of one port: ${one.reads} entries`);
      });
    });
  }
});
