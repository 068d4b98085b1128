import { sql } from 'kysely';
import t from 'tap';
import { openPostgres } from '../helpers/database.js';

t.test('the database itself enforces the rules', async (t) => {
  const { db } = await openPostgres(t);
  const failure = async (statement: string): Promise<string> => {
    try {
      await sql.raw(statement).execute(db);
      return 'accepted';
    } catch (error) {
      const { code, constraint } = error as { code?: string; constraint?: string };
      return `${code} ${constraint ?? ''}`.trim();
    }
  };
  const range = (values: string) =>
    failure(`insert into port_ranges (project, start_port, end_port, kind) values ('x', ${values})`);
  const hold = (columns: string, values: string) =>
    failure(`insert into port_allocations (project, service, ${columns}) values ('odin', 'a', ${values})`);

  t.test('ranges never overlap, whatever their kinds', async (t) => {
    for (const values of ["9900, 9999, 'project'", "8100, 9099, 'shared'", "9100, 10099, 'shared'"]) {
      t.equal(await range(values), '23P01 port_ranges_no_overlap', values);
    }
    t.equal(
      await failure('update port_ranges set start_port = 3000, end_port = 3099 where start_port = 3100'),
      '23505 port_ranges_pkey',
    );
    t.equal(await range("3100, 3199, 'project'"), '23505 port_ranges_pkey');
  });

  t.test('ranges have the size of their kind, are aligned, and lie in bounds', async (t) => {
    t.equal(await range("7000, 7098, 'project'"), '23514 port_ranges_size');
    t.equal(await range("7000, 7999, 'project'"), '23514 port_ranges_size');
    t.equal(await range("7000, 7099, 'shared'"), '23514 port_ranges_size');
    t.equal(await range("7000, 7099, 'other'"), '23514 port_ranges_kind');
    t.equal(await range("7050, 7149, 'project'"), '23514 port_ranges_alignment');
    t.equal(await range("2900, 2999, 'project'"), '23514 port_ranges_bounds');
    t.equal(await range("65000, 65099, 'project'"), '23514 port_ranges_bounds');
    t.equal(await range("64100, 65099, 'shared'"), '23514 port_ranges_bounds');
    t.equal(await range("64900, 64999, 'project'"), 'accepted');
    t.equal(await range("64000, 64999 - 100, 'project'"), '23514 port_ranges_size');
    t.equal(await failure('update port_ranges set reuse_cooldown_seconds = -1'), '23514 port_ranges_cooldown');
  });

  t.test('a port has one active holder on each host and protocol, and any number of former ones', async (t) => {
    t.equal(await hold('port', '3300'), 'accepted');
    t.equal(await hold('port', '3300'), '23505 port_allocations_active_port');
    t.equal(await hold('port, environment', "3300, 'staging'"), '23505 port_allocations_active_port');
    t.equal(await hold('port, status', "3300, 'in_use'"), '23505 port_allocations_active_port');
    t.equal(await hold('port, host', "3300, 'db1'"), 'accepted');
    t.equal(await hold('port, protocol', "3300, 'udp'"), 'accepted');
    for (let i = 0; i < 3; i++) t.equal(await hold('port, status, released_at', "3300, 'released', now()"), 'accepted');
    t.equal(
      await failure("update port_allocations set status = 'allocated', released_at = null where status = 'released'"),
      '23505 port_allocations_active_port',
    );
  });

  t.test('statuses, protocols and times fit together', async (t) => {
    t.equal(await hold('port, status', "3310, 'free'"), '23514 port_allocations_status');
    t.equal(await hold('port, status', "3310, 'released'"), '23514 port_allocations_released');
    t.equal(await hold('port, released_at', '3310, now()'), '23514 port_allocations_released');
    t.equal(await hold('port, protocol', "3310, 'sctp'"), '23514 transport_protocol_check');
    t.equal(await hold('port, protocol', "3310, 'TCP'"), '23514 transport_protocol_check');
    t.equal(await hold('port, protocol', '3310, null'), '23502');
    t.equal(await hold('port', '2999'), '23514 port_allocations_port');
    t.equal(await hold('port', '65000'), '23514 port_allocations_port');
    t.equal(await hold('port, metadata', "3310, '[]'"), '23514 port_allocations_metadata');
    t.equal(await hold('port, metadata', "3310, '1'"), '23514 port_allocations_metadata');
  });

  t.test('names and hosts have the right form', async (t) => {
    for (const host of [
      'LOCALHOST',
      '127.0.0.1',
      '::1',
      '0.0.0.0',
      'db1.',
      'DB1',
      '',
      'a b',
      '2001:DB8::1',
      '2001:db8:0::1',
      '::ffff:10.0.0.1',
      '1.2.3',
      '[::2]',
    ]) {
      t.equal(await hold('port, host', `3310, '${host}'`), '23514 registry_host_check', host);
    }
    for (const host of ['db1.example.com', '10.0.0.1', '2001:db8::1']) {
      t.equal(await hold('port, host', `3310, '${host}'`), 'accepted', host);
    }
    for (const name of ['', 'A', '-a', 'a-', 'a b', 'a'.repeat(64), 'a\n']) {
      t.equal(await hold('port, environment', `3311, '${name}'`), '23514 registry_name_check', name);
      t.equal(
        await failure(`update port_ranges set project = '${name}' where start_port = 3300`),
        '23514 registry_name_check',
      );
    }
  });

  t.test('a reservation has an end exactly if its status says so, and a port has one active reservation', async (t) => {
    const reserve = (columns: string, values: string) =>
      failure(
        `insert into port_reservations (project, port, expires_at, ${columns}) values ('odin', 3350, now(), ${values})`,
      );
    t.equal(await reserve('status', "'active'"), 'accepted');
    t.equal(await reserve('status', "'active'"), '23505 port_reservations_active_port');
    t.equal(await reserve('host', "'db1'"), 'accepted');
    t.equal(await reserve('status', "'expired'"), '23514 port_reservations_ended');
    t.equal(await reserve('ended_at', 'now()'), '23514 port_reservations_ended');
    t.equal(await reserve('status, ended_at', "'expired', now()"), 'accepted');
    t.equal(await reserve('status, ended_at', "'gone', now()"), '23514 port_reservations_status');
    t.equal(await reserve('host', "'DB1'"), '23514 registry_host_check');
    const any = '(select id from port_allocations limit 1)';
    t.equal(
      await reserve('status, ended_at, allocation_id', `'cancelled', now(), ${any}`),
      '23514 port_reservations_claimed',
    );
    t.equal(await reserve('status, ended_at, allocation_id', `'claimed', now(), ${any}`), 'accepted');
  });

  t.test('a health check has one of four outcomes, and goes with its allocation', async (t) => {
    const check = (outcome: string) =>
      failure(`insert into port_health_checks (allocation_id, project, port, host, outcome)
        select id, project, port, host, '${outcome}' from port_allocations where released_at is null limit 1`);
    for (const outcome of ['open', 'refused', 'timeout', 'unreachable']) t.equal(await check(outcome), 'accepted');
    t.equal(await check('closed'), '23514 port_health_checks_outcome');
    t.equal(await failure('delete from port_allocations'), 'accepted');
    const { rows } = await sql<{ count: number }>`select count(*)::integer as count from port_health_checks`.execute(
      db,
    );
    t.equal(rows[0]?.count, 0);
  });
});
