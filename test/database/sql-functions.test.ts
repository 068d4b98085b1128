import { type RawBuilder, sql } from 'kysely';
import t from 'tap';
import { makeApp, requester } from '../helpers/app.js';
import { openPostgres } from '../helpers/database.js';
import { insertReservation } from '../helpers/rows.js';

t.test('SQL functions and views', async (t) => {
  const { db } = await openPostgres(t);
  const request = requester(await makeApp(t, { db }));
  const value = async (expression: RawBuilder<unknown>): Promise<unknown> => {
    const { rows } = await sql<{ value: unknown }>`select ${expression} as value`.execute(db);
    return rows[0]?.value;
  };
  const sqlState = (expression: RawBuilder<unknown>) =>
    value(expression).then(
      (result) => `no error, but ${result}`,
      (error: { code?: string }) => error.code,
    );

  t.test('find_available_port() finds a port and allocates nothing', async (t) => {
    for (let i = 0; i < 2; i++) t.equal(await value(sql`find_available_port('consilio')`), 3100);
    t.equal(await value(sql`find_available_port('consilio', 'db1')`), 3100);
    t.equal(await value(sql`find_available_port('consilio', 'LOCALHOST.', 'udp')`), 3100);
  });

  t.test('allocate_port() always takes a new port, with the defaults for what is left out', async (t) => {
    for (const port of [3100, 3101]) t.equal(await value(sql`allocate_port('consilio', 'api')`), port);
    t.equal(await value(sql`allocate_port('consilio', 'api', 'staging', '127.0.0.1', 'udp')`), 3100);
    t.equal(await value(sql`allocate_port('consilio', 'api', host => 'DB1.')`), 3100);
    t.match((await request('GET', '/v1/projects/consilio/services/api')).body, {
      port: 3100,
      environment: 'default',
      host: 'localhost',
      protocol: 'tcp',
      status: 'allocated',
    });
    t.match((await request('GET', '/v1/projects/consilio/services/api?environment=staging&protocol=udp')).body, {
      port: 3100,
    });
    t.match((await request('GET', '/v1/projects/consilio/services/api?host=db1')).body, { port: 3100 });
    t.equal(await value(sql`find_available_port('consilio')`), 3102);
  });

  t.test('release_port() returns whether it released anything, on the given host and protocol', async (t) => {
    t.equal(await value(sql`release_port(3100, 'db1')`), true);
    t.equal(await value(sql`release_port(3100, 'db1')`), false);
    t.equal(await value(sql`release_port(3199)`), false);
    t.equal(await value(sql`release_port(80)`), false);
    t.equal(await value(sql`release_port(3100)`), true);
    t.equal(await value(sql`release_port(3100, protocol => 'udp')`), true);
    const { body } = await request('GET', '/v1/allocations?port=3100&status=any');
    t.strictSame(
      body.items.map((item: { status: string; releasedAt: string | null }) => [item.status, item.releasedAt !== null]),
      Array(3).fill(['released', true]),
    );
    t.equal(await value(sql`allocate_port('consilio', 'again')`), 3100, 'the lowest gap first');
  });

  t.test('they skip reserved and cooling ports, except a cooling port that the same key released', async (t) => {
    await insertReservation(db, { port: 3200, project: 'openhorizon', seconds: 3600 });
    await insertReservation(db, { port: 3201, project: 'openhorizon', seconds: -1 });
    t.equal(await value(sql`allocate_port('openhorizon', 'a')`), 3201);
    await request('PATCH', '/v1/ranges/3200', { reuseCooldownSeconds: 3600 });
    t.equal(await value(sql`release_port(3201)`), true);
    t.equal(await value(sql`find_available_port('openhorizon')`), 3202);
    t.equal(await value(sql`allocate_port('openhorizon', 'b')`), 3202);
    t.equal(await value(sql`allocate_port('openhorizon', 'a', 'staging')`), 3203);
    t.equal(await value(sql`allocate_port('openhorizon', 'a')`), 3201);
  });

  t.test('each refusal has an SQLSTATE of its own', async (t) => {
    t.equal(await sqlState(sql`find_available_port('nobody')`), 'PA001');
    t.equal(await sqlState(sql`find_available_port(null)`), 'PA001');
    t.equal(await sqlState(sql`allocate_port('nobody', 'a')`), 'PA001');
    for (let i = 0; i < 100; i++) await value(sql`allocate_port('odin', 'fill')`);
    t.equal(await sqlState(sql`find_available_port('odin')`), 'PA002');
    t.equal(await sqlState(sql`allocate_port('odin', 'more')`), 'PA002');
    t.equal(await sqlState(sql`allocate_port('odin', 'a', host => 'no host')`), 'PA004');
    t.equal(await sqlState(sql`find_available_port('odin', '')`), 'PA004');
    t.equal(await sqlState(sql`find_available_port('odin', null)`), 'PA004');
    t.equal(await sqlState(sql`release_port(3300, '1.2')`), 'PA004');
    t.equal(await sqlState(sql`find_available_port('consilio', 'localhost', 'sctp')`), 'PA004');
    t.equal(await sqlState(sql`allocate_port('consilio', 'a', 'default', 'localhost', 'sctp')`), 'PA004');
    t.equal(await sqlState(sql`release_port(3300, 'localhost', 'TCP')`), 'PA004');
    t.equal(await sqlState(sql`release_port(3300, protocol => null)`), 'PA004');
    t.equal(await sqlState(sql`allocate_port('consilio', 'No Name')`), '23514');
    t.equal(await sqlState(sql`allocate_port('consilio', null)`), '23502');
  });

  t.test('another isolation level is refused, because a stale snapshot would go unnoticed', async (t) => {
    for (const level of ['repeatable read', 'serializable']) {
      for (const call of ["allocate_port('consilio', 'a')", 'release_port(3100)', 'cleanup_expired_reservations()']) {
        const state = await db.connection().execute(async (connection) => {
          await sql.raw(`begin isolation level ${level}`).execute(connection);
          try {
            await sql.raw(`select ${call}`).execute(connection);
            return 'accepted';
          } catch (error) {
            return (error as { code: string }).code;
          } finally {
            await sql`rollback`.execute(connection);
          }
        });
        t.equal(state, 'PA003', `${call} in ${level}`);
      }
    }
  });

  t.test('cleanup_expired_reservations() marks what has expired, once, as ended when it expired', async (t) => {
    await sql`delete from port_reservations`.execute(db);
    const expired = await insertReservation(db, { port: 3400, project: 'health-agent', seconds: -60 });
    await insertReservation(db, { port: 3401, project: 'health-agent', seconds: -1 });
    const active = await insertReservation(db, { port: 3402, project: 'health-agent', seconds: 60 });
    t.equal(await value(sql`cleanup_expired_reservations()`), 2);
    t.equal(await value(sql`cleanup_expired_reservations()`), 0);
    t.equal(
      await value(sql`(select status || (ended_at = expires_at) from port_reservations where id = ${expired})`),
      'expiredtrue',
    );
    t.equal(await value(sql`(select status from port_reservations where id = ${active})`), 'active');
  });

  t.test('active_port_allocations shows what is held', async (t) => {
    const held = (await request('GET', '/v1/allocations?limit=1000')).body.items;
    const { rows } = await sql<{ id: string }>`select * from active_port_allocations order by port, id`.execute(db);
    t.strictSame(
      rows.map((row) => row.id),
      held.map((item: { id: string }) => item.id),
    );
    t.notOk(Object.keys(rows[0] ?? {}).includes('released_at'));
  });

  t.test(
    'taken_ports lists each port once: allocated or in use, else reserved while the reservation lasts',
    async (t) => {
      const onHost = { project: 'odin', host: 'db4' };
      await value(sql`allocate_port('odin', 'a', host => 'db4')`);
      await value(sql`allocate_port('odin', 'b', host => 'db4')`);
      await sql`update port_allocations set status = 'in_use' where host = 'db4' and port = 3301`.execute(db);
      await insertReservation(db, { ...onHost, port: 3300, seconds: 60 });
      await insertReservation(db, { ...onHost, port: 3302, seconds: 60 });
      await insertReservation(db, { ...onHost, port: 3303, seconds: -60 });
      const { rows } = await sql`select port, state from taken_ports where host = 'db4' order by port`.execute(db);
      t.strictSame(rows, [
        { port: 3300, state: 'allocated' },
        { port: 3301, state: 'in_use' },
        { port: 3302, state: 'reserved' },
      ]);
      const counts = await sql`
      select allocated_ports, in_use_ports, reserved_ports, available_ports from range_counts('db4')
      where start_port = 3300`.execute(db);
      t.strictSame(counts.rows, [{ allocated_ports: 2, in_use_ports: 1, reserved_ports: 1, available_ports: 97 }]);
      for (const { port, state } of rows as { port: number; state: string }[]) {
        t.equal((await request('GET', `/v1/ports/${port}?host=db4`)).body.state, state, `${port}`);
      }
      t.equal((await request('GET', '/v1/ports/3303?host=db4')).body.state, 'free');
      const metrics = (await request('GET', '/metrics')).text;
      t.match(metrics, 'port_allocator_project_reserved_ports{project="odin",host="db4",protocol="tcp"} 1\n');
      t.match(metrics, 'port_allocator_project_available_ports{project="odin",host="db4",protocol="tcp"} 97\n');
    },
  );

  t.test('port_range_utilization counts each port space by itself, and multiplies nothing', async (t) => {
    const row = async (host: string, protocol: string) => {
      const { rows } = await sql`
          select total_ports, allocated_ports, in_use_ports, reserved_ports, cooling_ports, available_ports, utilization
          from port_range_utilization where start_port = 3500 and host = ${host} and protocol = ${protocol}`.execute(
        db,
      );
      return rows;
    };
    for (let i = 0; i < 10; i++) await value(sql`allocate_port('quiculum-monitor', 'a')`);
    await value(sql`allocate_port('quiculum-monitor', 'a', host => 'db1')`);
    await sql`update port_allocations set status = 'in_use' where port in (3501, 3502) and released_at is null`.execute(
      db,
    );
    for (let i = 0; i < 7; i++)
      await insertReservation(db, { port: 3550 + i, project: 'quiculum-monitor', seconds: 60 });
    await insertReservation(db, { port: 3560, project: 'quiculum-monitor', host: 'db2', seconds: 60 });
    await insertReservation(db, { port: 3561, project: 'quiculum-monitor', host: 'db3', seconds: -60 });
    const counts = { total_ports: 100, in_use_ports: 0, cooling_ports: 0, reserved_ports: 0, allocated_ports: 0 };
    t.strictSame(await row('localhost', 'tcp'), [
      {
        ...counts,
        allocated_ports: 10,
        in_use_ports: 2,
        reserved_ports: 7,
        available_ports: 83,
        utilization: '10.00',
      },
    ]);
    t.strictSame(await row('db1', 'tcp'), [
      { ...counts, allocated_ports: 1, available_ports: 99, utilization: '1.00' },
    ]);
    t.strictSame(await row('db2', 'tcp'), [{ ...counts, reserved_ports: 1, available_ports: 99, utilization: '0.00' }]);
    t.strictSame(await row('db3', 'tcp'), []);
    t.strictSame(await row('localhost', 'udp'), []);
    const { rows } =
      await sql`select from port_range_utilization where host = 'localhost' and protocol = 'tcp'`.execute(db);
    t.equal(rows.length, 7, 'a row for every range');
  });
});
