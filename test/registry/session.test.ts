import { randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import pg from 'pg';
import t from 'tap';
import type { AllocationKey } from '../../src/keys.js';
import { releaseAllocation } from '../../src/registry/allocations.js';
import { Registry } from '../../src/registry/registry.js';
import { createDatabase, openPostgres } from '../helpers/database.js';

const url = await createDatabase(t);
const { db } = await openPostgres(t, url);
const key = (service: string): AllocationKey => ({
  project: 'consilio',
  service,
  environment: 'default',
  host: 'localhost',
  protocol: 'tcp',
});

t.test('a look-up that fails does not make others fail that were sent together with it', async (t) => {
  const session = new Registry(db).asBackground();
  const { allocation } = await session.execute('consilio', { kind: 'get-or-allocate', key: key('a'), details: {} });
  const results = await Promise.allSettled([
    session.findById(allocation.id),
    session.findById('no uuid'),
    session.findById(allocation.id),
  ]);
  t.same(
    results.map(({ status }) => status),
    ['fulfilled', 'rejected', 'fulfilled'],
  );
});

t.test('a command that fails does not make others fail in the same batch', async (t) => {
  const session = new Registry(db).asBackground();
  const results = await Promise.allSettled([
    session.execute('consilio', { kind: 'get-or-allocate', key: key('b'), details: {} }),
    session.execute('consilio', { kind: 'get-or-allocate', key: key('NOT A NAME'), details: {} }),
    session.execute('consilio', { kind: 'get-or-allocate', key: key('c'), details: {} }),
  ]);
  t.same(
    results.map(({ status }) => status),
    ['fulfilled', 'rejected', 'fulfilled'],
  );
});

t.test('the project of an id is remembered by the replica that allocated it, even after the row is gone', async (t) => {
  const session = new Registry(db).asBackground();
  const { allocation } = await session.execute('consilio', {
    kind: 'allocate',
    key: key('gone'),
    details: {},
    port: null,
    idempotency: null,
  });
  await sql`delete from port_allocations where id = ${allocation.id}`.execute(db);
  t.match(await session.findPlaceOf(allocation.id), { project: 'consilio', port: allocation.port });
  t.equal(await new Registry(db).asBackground().findPlaceOf(allocation.id), null, 'elsewhere it is looked up');
  await t.rejects(releaseAllocation(session, allocation.id), { code: 'allocation-not-found' });
});

t.test('prepared statements still work when a newer migration adds a column', async (t) => {
  const session = new Registry(db).asBackground();
  const command = { kind: 'get-or-allocate' as const, key: key('kept'), details: {} };
  const { allocation } = await session.execute('consilio', command);
  // On every connection of the pool, more often than it takes until PostgreSQL keeps a generic plan.
  const lookUp = async () => {
    const sessions = Array.from({ length: 40 }, () => new Registry(db).asBackground());
    await Promise.all(sessions.map((one) => one.findById(allocation.id)));
    await Promise.all(sessions.map((one) => one.findHeld(key('kept'))));
    await Promise.all(sessions.map((one) => one.execute('consilio', command)));
  };
  await lookUp();
  await sql`alter table port_allocations add column later text default 'x'`.execute(db);
  await sql`alter table port_ranges add column later text default 'x'`.execute(db);
  await lookUp();
  t.equal((await session.findById(allocation.id))?.port, allocation.port);
});

t.test(
  'when a commit is lost, what is idempotent is tried once more, and the rest is told that nobody knows',
  async (t) => {
    const psql = new pg.Client({ connectionString: url });
    await psql.connect();
    t.teardown(() => psql.end());
    // The first commit that inserts a row of this service terminates its own connection instead of committing.
    await psql.query('create sequence shots_fired');
    // A sequence is not rolled back, so only the first transaction is terminated.
    await psql.query(`
    create function shoot() returns trigger language plpgsql as $$
    begin
      if new.service = 'shot' and nextval('shots_fired') = 1 then
        perform pg_terminate_backend(pg_backend_pid());
        perform pg_sleep(1);
      end if;
      return null;
    end $$;
    create constraint trigger shoot after insert on port_allocations
      deferrable initially deferred for each row execute function shoot()`);

    const session = new Registry(db).asBackground();
    const [got, allocated, keyed] = await Promise.allSettled([
      session.execute('odin', { kind: 'get-or-allocate', key: { ...key('got'), project: 'odin' }, details: {} }),
      session.execute('odin', {
        kind: 'allocate',
        key: { ...key('shot'), project: 'odin' },
        details: {},
        port: null,
        idempotency: null,
      }),
      session.execute('odin', {
        kind: 'allocate',
        key: { ...key('keyed'), project: 'odin' },
        details: {},
        port: null,
        idempotency: { caller: 'test', key: 'k', requestHash: 'h' },
      }),
    ]);
    t.equal(got.status, 'fulfilled');
    t.equal(keyed.status, 'fulfilled');
    t.equal(allocated.status, 'rejected');
    if (allocated.status === 'rejected') t.equal(allocated.reason.code, 'database-unavailable');
    const { rows } = await psql.query(
      "select service, port from port_allocations where project = 'odin' and released_at is null order by port",
    );
    t.same(rows, [
      { service: 'got', port: 3300 },
      { service: 'keyed', port: 3301 },
    ]);
  },
);

t.test('a reservation whose row was deleted before its command is decided is not found', async (t) => {
  const session = new Registry(db).asBackground();
  const cancel = { kind: 'cancel-reservation' as const, reservationId: randomUUID() };
  await t.rejects(session.execute('consilio', cancel), { code: 'reservation-not-found' });
});
