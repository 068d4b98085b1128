import { type RawBuilder, sql } from 'kysely';
import t from 'tap';
import { databases } from '../helpers/database.js';
import { insertReservation } from '../helpers/rows.js';

for (const [name, open] of databases) {
  t.test(`excluded ports in the SQL functions and views, on ${name}`, async (t) => {
    const { db } = await open(t);
    const value = async (expression: RawBuilder<unknown>): Promise<unknown> => {
      const { rows } = await sql<{ value: unknown }>`select ${expression} as value`.execute(db);
      return rows[0]?.value;
    };
    const refusalOf = (expression: RawBuilder<unknown>) =>
      value(expression).then(
        (result) => ({ code: `no error, but ${result}`, hint: '' }),
        ({ code, hint }: { code: string; hint: string }) => ({ code, hint }),
      );
    const insertRange = (start: number, project: string) =>
      sql`insert into port_ranges (start_port, end_port, project) values (${start}, ${start + 99}, ${project})`.execute(
        db,
      );
    const countsOf = async (start: number, host = 'localhost') => {
      const { rows } = await sql`
        select total_ports, allocated_ports, reserved_ports, cooling_ports, excluded_ports, available_ports
        from port_range_utilization where start_port = ${start} and host = ${host} and protocol = 'tcp'`.execute(db);
      return rows.map((row) => Object.values(row as object));
    };
    await insertRange(3600, 'atlas');

    t.test('allocate_port() skips one, on every host and protocol', async (t) => {
      const taken = [];
      for (let i = 0; i < 60; i++) taken.push(await value(sql`allocate_port('atlas', 'fill')`));
      t.strictSame(taken, [...Array.from({ length: 59 }, (_, i) => 3600 + i), 3660]);
      await sql`insert into excluded_ports values (3601, 'x')`.execute(db);
      t.equal(await value(sql`allocate_port('atlas', 'a', host => 'db1')`), 3600);
      t.equal(await value(sql`allocate_port('atlas', 'b', host => 'db1')`), 3602);
      t.equal(await value(sql`allocate_port('atlas', 'b', protocol => 'udp')`), 3600);
      t.equal(await value(sql`allocate_port('atlas', 'b', protocol => 'udp')`), 3602);
    });

    t.test('one that is held counts as held until it is released, and then comes to nobody', async (t) => {
      t.strictSame(await countsOf(3600), [[100, 60, 0, 0, 1, 39]]);
      t.strictSame(await countsOf(3600, 'db1'), [[100, 2, 0, 0, 2, 96]]);
      t.equal(await value(sql`release_port(3601)`), true);
      t.strictSame(await countsOf(3600), [[100, 59, 0, 0, 2, 39]]);
      t.equal(await value(sql`find_available_port('atlas')`), 3661);
      await sql`delete from excluded_ports where port = 3601`.execute(db);
      t.equal(await value(sql`find_available_port('atlas')`), 3601);
    });

    t.test('one that is reserved or cools down counts once', async (t) => {
      await insertRange(3700, 'boreas');
      await insertReservation(db, { port: 3700, project: 'boreas', seconds: 3600 });
      await insertReservation(db, { port: 3701, project: 'boreas', seconds: -1 });
      await sql`update port_ranges set reuse_cooldown_seconds = 600 where start_port = 3700`.execute(db);
      t.equal(await value(sql`allocate_port('boreas', 'a')`), 3701);
      t.equal(await value(sql`release_port(3701)`), true);
      t.strictSame(await countsOf(3700), [[100, 0, 1, 1, 0, 98]]);
      await sql`insert into excluded_ports select port, 'x' from generate_series(3700, 3702) port`.execute(db);
      t.strictSame(await countsOf(3700), [[100, 0, 1, 0, 2, 97]], 'cooling and excluded is excluded');
      t.equal(await value(sql`allocate_port('boreas', 'a')`), 3703, 'its former holder does not get it back unasked');
    });

    t.test('where none is left, the hint says how many are excluded', async (t) => {
      await insertRange(3800, 'ceto');
      await sql`insert into excluded_ports select port, 'x' from generate_series(3803, 3899) port`.execute(db);
      for (const port of [3800, 3801, 3802]) t.equal(await value(sql`allocate_port('ceto', 'a')`), port);
      const hint = /another range\. 97 of its ports are excluded \(table excluded_ports\)\.$/;
      t.match(await refusalOf(sql`allocate_port('ceto', 'a')`), { code: 'PA002', hint });
      t.match(await refusalOf(sql`find_available_port('ceto')`), { code: 'PA002', hint });
      await sql`update port_ranges set reuse_cooldown_seconds = 600 where start_port = 3800`.execute(db);
      await value(sql`release_port(3802)`);
      t.match(await refusalOf(sql`find_available_port('ceto')`), {
        hint: /The next one comes free by itself at .* 97 of/,
      });
      await sql`insert into excluded_ports values (3802, 'x')`.execute(db);
      t.match(await refusalOf(sql`find_available_port('ceto')`), { hint: /another range\. 98 of its ports/ });
    });

    t.test('the table takes no port that a range cannot have, and no empty reason', async (t) => {
      for (const [port, reason] of [
        [2999, 'x'],
        [65_000, 'x'],
        [3999, ''],
        [3999, 'x'.repeat(1001)],
      ]) {
        const inserting = sql`insert into excluded_ports values (${port}, ${reason})`.execute(db);
        await t.rejects(inserting, { code: '23514' }, `${port}`);
      }
    });
  });
}
