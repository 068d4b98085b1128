import { sql } from 'kysely';
import t from 'tap';
import { makeApp, requester } from '../helpers/app.js';
import { openPostgres } from '../helpers/database.js';

t.test('a port is allocated after the end of its reservation, however long the search for ports takes', async (t) => {
  const database = await openPostgres(t);
  const request = requester(await makeApp(t, database));
  // The search begins before the reservation ends, and finds that it has ended.
  const { rows } = await sql<{ text: string }>`
    select pg_get_functiondef('free_ports'::regproc) as text`.execute(database.db);
  const slow = rows[0]?.text.replace(/\nbegin\n/, '\nbegin\n  perform pg_sleep(1.5);\n') ?? '';
  t.match(slow, /pg_sleep/);
  await sql.raw(slow).execute(database.db);

  const { body: reservation } = await request('POST', '/v1/projects/odin/reservations', {
    ttlSeconds: 1,
    port: 3300,
  });
  const { body: allocation } = await request('PUT', '/v1/projects/odin/services/api');
  t.match(allocation, { port: 3300 }, JSON.stringify(allocation));
  t.ok(allocation.allocatedAt >= reservation.expiresAt, `${allocation.allocatedAt}, ${reservation.expiresAt}`);
});
