import { sql } from 'kysely';
import t from 'tap';
import { makeApp, requester } from '../helpers/app.js';
import { openPostgres } from '../helpers/database.js';
import { insertReservation } from '../helpers/rows.js';

const CALLERS = 4;
const RESERVATIONS_EACH = 30;
/** A few answers take as long. */
const LASTS_SECONDS = 0.02;

t.test('a port whose reservation expires while it is asked for is of one moment in each answer', async (t) => {
  const { db } = await openPostgres(t);
  const request = requester(await makeApp(t, { db }));
  await request('PATCH', '/v1/ranges/3300', { reuseCooldownSeconds: 3600 });
  const states: Record<string, number> = {};

  /** Reserves the port again and again, and asks for it until the reservation has expired. */
  const ask = async (host: string, otherwise: 'free' | 'cooling') => {
    for (let i = 0; i < RESERVATIONS_EACH; i++) {
      await sql`delete from port_reservations where host = ${host}`.execute(db);
      await insertReservation(db, { port: 3300, project: 'odin', host, seconds: LASTS_SECONDS });
      for (let state = 'reserved'; state === 'reserved'; states[state] = (states[state] ?? 0) + 1) {
        const { range, ...port } = (await request('GET', `/v1/ports/3300?host=${host}`)).body;
        state = port.state;
        const isReserved = state === 'reserved';
        const seen = { state, reservation: port.reservation?.status ?? null, ...countsOf(range) };
        const right = {
          state: isReserved ? 'reserved' : otherwise,
          reservation: isReserved ? 'active' : null,
          reserved: Number(isReserved),
          cooling: Number(!isReserved && otherwise === 'cooling'),
          available: isReserved || otherwise === 'cooling' ? 99 : 100,
        };
        if (JSON.stringify(seen) !== JSON.stringify(right)) t.same(seen, right);
      }
    }
  };
  // In every second port space the port cools down under its reservation.
  await sql`
    insert into port_allocations (port, project, service, host, status, released_at)
    select 3300, 'odin', 'before', 'h' || i, 'released', clock_timestamp() from generate_series(0, ${CALLERS}, 2) i
  `.execute(db);
  await Promise.all(Array.from({ length: CALLERS }, (_, i) => ask(`h${i}`, i % 2 === 0 ? 'cooling' : 'free')));
  t.equal((states.free ?? 0) + (states.cooling ?? 0), CALLERS * RESERVATIONS_EACH);
  t.ok((states.reserved ?? 0) > 0, JSON.stringify(states));
});

function countsOf({ reservedPorts, coolingPorts, availablePorts }: Record<string, number>) {
  return { reserved: reservedPorts, cooling: coolingPorts, available: availablePorts };
}
